"""redis-py's monitor and its client-side cache in process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from redmodel.database.client_over_engine import sync_client
from redmodel.engine.engine import Engine


def test_monitor_sees_what_other_clients_do() -> None:
    engine = Engine()
    client = sync_client(engine)
    with client.monitor() as monitor:
        client.set("k", 'a "b"')
        seen = monitor.next_command()
        assert (seen["command"], seen["db"]) == ('SET k a "b"', 0)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(monitor.next_command)
            client.get("k")
            assert waiting.result(10)["command"] == "GET k"
    assert not engine.observers.monitors
    assert engine.commands is engine._table


def test_what_was_read_is_said_to_have_changed() -> None:
    engine = Engine()
    other = sync_client(engine)
    client = sync_client(engine, protocol=3)
    connection = client.connection_pool.get_connection()
    told: list[object] = []
    connection.connect()
    connection.send_command("CLIENT", "TRACKING", "ON")
    assert connection.read_response() == b"OK"
    connection.set_parser(type(connection)._resp3_parser)
    connection._parser.set_invalidation_push_handler(told.append)
    connection.send_command("GET", "k")
    assert connection.read_response() is None
    other.set("k", 1)
    assert connection.can_read(timeout=5)
    connection.read_response(push_request=True)
    assert told == [[b"invalidate", [b"k"]]]
    connection.disconnect()
    assert not engine.tracking
