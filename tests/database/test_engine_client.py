"""The same program on redis-py over the engine and over redis-server 7.0: the same Python results, errors included."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import redis
import redis.asyncio

from redmodel.database.client_over_engine import async_client, sync_client
from redmodel.engine.engine import Engine

Step = Callable[[Any], Any]


def blocking(step: Step) -> Step:
    """Mark a step that can't simply be awaited."""
    step.__name__ = "blocking"
    return step


STEPS: list[Step] = [
    lambda r: r.ping(),
    lambda r: r.echo("hé"),
    lambda r: r.set("a", 1),
    lambda r: r.set("a", 2, nx=True),
    lambda r: r.set("a", 2, get=True),
    lambda r: r.set("b", 1.5, ex=100),
    lambda r: r.get("a"),
    lambda r: r.get("none"),
    lambda r: r.execute_command("get", "a"),
    lambda r: r.execute_command("GET", "a", keys=["a"]),
    lambda r: r.execute_command(b"GET", b"a"),
    blocking(lambda r: r["a"]),
    blocking(lambda r: r["none"]),
    lambda r: r.mset({"m1": "x", "m2": b"\x01"}),
    lambda r: r.mget("m1", "none", "m2"),
    lambda r: r.incr("a"),
    lambda r: r.incrby("a", 40),
    lambda r: r.incrbyfloat("b", 0.1),
    lambda r: r.decr("a"),
    lambda r: r.append("m1", "yz"),
    lambda r: r.strlen("m1"),
    lambda r: r.getrange("m1", 0, 1),
    lambda r: r.setrange("m1", 1, "Q"),
    lambda r: r.getset("m1", "new"),
    lambda r: r.getdel("m1"),
    lambda r: r.getex("m2", persist=True),
    lambda r: r.setnx("n", "v"),
    lambda r: r.setex("n", 50, "v"),
    lambda r: r.exists("a", "b", "none"),
    blocking(lambda r: "a" in r),
    lambda r: r.type("a"),
    lambda r: r.type("none"),
    lambda r: r.expire("a", 100),
    lambda r: r.expire("none", 100),
    blocking(lambda r: 90 < r.ttl("a") <= 100),
    blocking(lambda r: 90_000 < r.pttl("a") <= 100_000),
    lambda r: r.ttl("none"),
    lambda r: r.persist("a"),
    lambda r: r.expireat("a", 4102444800),
    lambda r: r.expiretime("a"),
    lambda r: r.rename("n", "n2"),
    lambda r: r.rename("none", "n2"),
    lambda r: r.renamenx("n2", "a"),
    lambda r: r.copy("n2", "n3"),
    blocking(lambda r: sorted(r.keys("n*"))),
    lambda r: r.delete("n2", "none"),
    lambda r: r.unlink("n3"),
    lambda r: r.dbsize(),
    lambda r: r.hset("h", mapping={"f": "v", "g": 2, b"\xc3\xa9": 1.5}),
    lambda r: r.hset("h", "f", "w"),
    lambda r: r.hget("h", "f"),
    lambda r: r.hget("h", "none"),
    lambda r: r.hgetall("h"),
    lambda r: r.hgetall("none"),
    lambda r: r.hmget("h", "f", "none", "g"),
    lambda r: r.hkeys("h"),
    lambda r: r.hvals("h"),
    lambda r: r.hlen("h"),
    lambda r: r.hexists("h", "f"),
    lambda r: r.hexists("h", "none"),
    lambda r: r.hincrby("h", "g", 3),
    lambda r: r.hincrbyfloat("h", "g", 0.5),
    lambda r: r.hsetnx("h", "f", "x"),
    lambda r: r.hstrlen("h", "f"),
    lambda r: r.hdel("h", "f", "none"),
    lambda r: r.hscan("h"),
    blocking(lambda r: sorted(r.hscan_iter("h"))),
    blocking(lambda r: len(r.hrandfield("h", 2))),
    lambda r: r.sadd("s", "a", "b", "c"),
    lambda r: r.smembers("s"),
    lambda r: r.smembers("none"),
    lambda r: r.sismember("s", "a"),
    lambda r: r.smismember("s", ["a", "z"]),
    lambda r: r.scard("s"),
    lambda r: r.sadd("s2", "b", "c", "d"),
    lambda r: r.sinter("s", "s2"),
    lambda r: r.sunion("s", "s2"),
    lambda r: r.sdiff("s", "s2"),
    lambda r: r.sinterstore("s3", "s", "s2"),
    lambda r: r.sintercard(2, ["s", "s2"]),
    lambda r: r.smove("s", "s2", "a"),
    lambda r: r.srem("s", "b"),
    lambda r: r.spop("s"),
    lambda r: r.spop("none"),
    blocking(lambda r: sorted(r.sscan_iter("s2"))),
    lambda r: r.zadd("z", {"a": 1, "b": 2.5, "c": 3}),
    lambda r: r.zadd("z", {"a": 1}, incr=True),
    lambda r: r.zadd("z", {"d": float("inf")}, nx=True, ch=True),
    lambda r: r.zscore("z", "b"),
    lambda r: r.zscore("z", "none"),
    lambda r: r.zmscore("z", ["a", "none"]),
    lambda r: r.zcard("z"),
    lambda r: r.zcount("z", "-inf", "(3"),
    lambda r: r.zrange("z", 0, -1),
    lambda r: r.zrange("z", 0, -1, withscores=True),
    lambda r: r.zrange("z", 0, 1, desc=True, withscores=True),
    lambda r: r.zrange("z", "(1", "3", byscore=True, offset=0, num=1),
    lambda r: r.zrevrange("z", 0, 1, withscores=True),
    lambda r: r.zrangebyscore("z", 1, 3, withscores=True, start=0, num=2),
    lambda r: r.zrevrangebyscore("z", 3, 1),
    lambda r: r.zrank("z", "b"),
    lambda r: r.zrank("z", "none"),
    lambda r: r.zrevrank("z", "b"),
    lambda r: r.zincrby("z", 0.1, "a"),
    lambda r: r.zadd("lex", {"a": 0, "b": 0, "c": 0}),
    lambda r: r.zrangebylex("lex", "[a", "(c"),
    lambda r: r.zlexcount("lex", "-", "+"),
    lambda r: r.zunion(["z", "lex"], withscores=True),
    lambda r: r.zinter(["z", "lex"]),
    lambda r: r.zdiff(["z", "lex"], withscores=True),
    lambda r: r.zunionstore("zu", {"z": 2, "lex": 1}, aggregate="MAX"),
    lambda r: r.zpopmin("z"),
    lambda r: r.zpopmax("z", 2),
    lambda r: r.zpopmin("none"),
    lambda r: r.zrem("z", "b"),
    lambda r: r.zscan("zu"),
    blocking(lambda r: sorted(r.zscan_iter("zu"))),
    lambda r: r.zremrangebyrank("zu", 0, 0),
    lambda r: r.zremrangebyscore("zu", 0, 1),
    blocking(lambda r: len(r.zrandmember("lex", 2, withscores=True))),
    blocking(lambda r: sorted(r.scan_iter("*", count=2))),
    blocking(lambda r: sorted(r.scan_iter(_type="hash"))),
    lambda r: r.scan(0, match="nomatch*", count=1000),
    # errors
    lambda r: r.get("h"),
    lambda r: r.incr("m2"),
    lambda r: r.hset("a", "f", "v"),
    lambda r: r.execute_command("NOSUCH", "x", "y z"),
    lambda r: r.execute_command("GET"),
    lambda r: r.execute_command("SET", "a", "b", "NX", "XX"),
    lambda r: r.evalsha("0" * 40, 1, "k"),
    lambda r: r.set("a", None),
    lambda r: r.set("a", True),
    lambda r: r.set("a", [1]),
    lambda r: r.set("a", "\ud800"),
    lambda r: r.expire("a", "x"),
    lambda r: r.execute_command("SELECT", 99),
    lambda r: r.zadd("z", {"a": float("nan")}),
    # the connection
    lambda r: r.client_setname("me"),
    lambda r: r.client_getname(),
    blocking(lambda r: r.client_id() > 0),
    blocking(lambda r: r.client_info()["name"]),
    lambda r: r.client_setinfo("LIB-NAME", "x") if hasattr(r, "client_setinfo") and False else None,
    blocking(lambda r: r.time()[0] > 1_700_000_000),
    blocking(lambda r: set(r.info("keyspace"))),
    blocking(lambda r: r.info()["redis_version"][:4]),
    lambda r: r.config_get("maxmemory"),
    lambda r: r.object("encoding", "a"),
    # streams
    lambda r: r.xadd("x", {"f": "v", "g": 2}, id="1-1"),
    lambda r: r.xadd("x", {"f": "v"}, id="2-1", maxlen=10, approximate=True),
    lambda r: r.xadd("x", {"f": "v"}, id="3-1", nomkstream=True, minid="1", limit=5),
    lambda r: r.xadd("none", {"f": "v"}, nomkstream=True),
    lambda r: r.xlen("x"),
    lambda r: r.xrange("x"),
    lambda r: r.xrevrange("x", count=1),
    lambda r: r.xrange("x", count=0),
    lambda r: r.xread({"x": "1-1"}),
    lambda r: r.xread({"x": "$"}),
    lambda r: r.xread({"x": "$"}, block=1),
    lambda r: r.xread({"x": 0, "none": 0}, count=1),
    lambda r: r.xgroup_create("x", "g", 0),
    lambda r: r.xgroup_create("x", "g", 0),
    lambda r: r.xgroup_create("made", "g", mkstream=True, entries_read=0),
    lambda r: r.xgroup_createconsumer("x", "g", "d"),
    lambda r: r.xreadgroup("g", "c", {"x": ">"}, count=2),
    lambda r: r.xreadgroup("g", "c", {"x": ">"}, noack=True),
    lambda r: r.xreadgroup("g", "c", {"x": ">"}),
    lambda r: r.xdel("x", "2-1"),
    lambda r: r.xreadgroup("g", "c", {"x": 0}),
    lambda r: r.xpending("x", "g"),
    lambda r: r.xpending("made", "g"),
    lambda r: r.xclaim("x", "g", "d", 0, ["1-1"]),
    lambda r: r.xclaim("x", "g", "d", 0, ["1-1"], justid=True),
    lambda r: r.xautoclaim("x", "g", "e", 0),
    lambda r: r.xautoclaim("x", "g", "e", 0, justid=True),
    lambda r: r.xack("x", "g", "1-1"),
    lambda r: r.xpending_range("x", "g", "-", "+", 5),
    lambda r: r.xinfo_stream("x"),
    lambda r: r.xinfo_stream("made"),
    lambda r: r.xinfo_groups("x"),
    lambda r: r.xinfo_consumers("made", "g"),
    lambda r: r.xinfo_stream("made", full=True),
    lambda r: r.xgroup_setid("x", "g", "$"),
    lambda r: r.xgroup_delconsumer("x", "g", "c"),
    lambda r: r.xgroup_destroy("x", "g"),
    lambda r: r.xtrim("x", maxlen=1, approximate=False),
    lambda r: r.execute_command("XSETID", "x", "9-9"),
    lambda r: r.pipeline().xadd("x", {"f": "v"}, id="10-1").xread({"x": "$"}).xread({"x": 0}).execute(),
    lambda r: r.delete("x", "made"),
    # pipelines
    lambda r: r.pipeline().set("p", 1).incr("p").get("p").hgetall("h").execute(),
    lambda r: r.pipeline(transaction=False).set("p", 1).incr("p").zrange("lex", 0, -1, withscores=True).execute(),
    lambda r: r.pipeline().set("p", 1).hget("p", "f").get("p").execute(raise_on_error=False),
    lambda r: r.pipeline().set("p", 1).hget("p", "f").get("p").execute(),
    lambda r: r.pipeline(transaction=False).hget("p", "f").get("p").execute(raise_on_error=False),
    lambda r: r.pipeline().set("p", 2).execute_command("NOSUCH").execute(),
    lambda r: r.pipeline(transaction=False).execute_command("NOSUCH").get("p").execute(raise_on_error=False),
    lambda r: r.pipeline().execute(),
    blocking(lambda r: r.transaction(lambda pipe: (pipe.get("p"), pipe.multi(), pipe.set("p", 9)), "p")),
    lambda r: r.flushdb(),
    lambda r: r.dbsize(),
]  # fmt: skip


def outcome(run: Callable[[], Any]) -> str:
    try:
        return ordered(run())
    except Exception as error:
        return described(error)


def described(error: Exception) -> str:
    # hiredis and redis-py word a DataError differently, and either may have packed the command.
    return "DataError" if isinstance(error, redis.DataError) else f"{type(error).__name__}: {error}"


def ordered(value: Any) -> str:
    """``repr``, with sets and members of unordered collections in one order."""
    if isinstance(value, (set, frozenset)):
        return f"set {sorted(map(repr, value))}"
    if isinstance(value, dict):
        return f"dict {sorted((repr(key), ordered(item)) for key, item in value.items())}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__} [{', '.join(map(ordered, value))}]"
    return f"{type(value).__name__} {value!r}"


SETTINGS = [
    pytest.param({"decode_responses": decode, "protocol": protocol}, id=f"{'text' if decode else 'bytes'}-{protocol}")
    for decode in (False, True)
    for protocol in (None, 2, 3)
]


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_same_results_as_with_a_server(engine: Engine, redis7, settings: dict[str, Any]) -> None:
    redis7.flush()
    differences = []
    with redis.Redis(unix_socket_path=redis7.socket_path, **settings) as real, sync_client(engine, **settings) as ours:
        for number, step in enumerate(STEPS):
            expected, found = outcome(partial(step, real)), outcome(partial(step, ours))
            if found != expected:
                differences.append((number, expected, found))
    assert not differences, "\n".join(map(str, differences))


@pytest.mark.anyio
@pytest.mark.parametrize("settings", SETTINGS)
async def test_the_same_results_as_with_a_server_awaited(engine: Engine, redis7, settings: dict[str, Any]) -> None:
    redis7.flush()

    async def awaited(step: Step, client: Any) -> str:
        try:
            return ordered(await step(client))
        except Exception as error:
            return described(error)

    differences = []
    async with (
        redis.asyncio.Redis(unix_socket_path=redis7.socket_path, **settings) as real,
        async_client(engine, **settings) as ours,
    ):
        for number, step in enumerate(STEPS):
            if step.__name__ == "blocking":
                continue
            expected, found = await awaited(step, real), await awaited(step, ours)
            if found != expected:
                differences.append((number, expected, found))
        assert sorted([key async for key in ours.scan_iter()]) == sorted([key async for key in real.scan_iter()])
    assert not differences, "\n".join(map(str, differences))


def test_watch_refuses_what_changed_meanwhile(engine: Engine) -> None:
    client = sync_client(engine)
    client.set("a", 1)
    with client.pipeline() as pipe:
        pipe.watch("a")
        assert pipe.get("a") == b"1"
        client.set("a", 2)
        pipe.multi()
        pipe.set("a", 3)
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert client.get("a") == b"2"
    with client.pipeline() as pipe:
        pipe.watch("a")
        pipe.multi()
        assert pipe.incr("a").execute() == [3]


def test_counting_with_watch_from_many_threads(engine: Engine) -> None:
    client = sync_client(engine)

    def count(_: int) -> None:
        client.transaction(lambda pipe: (n := int(pipe.get("n") or 0), pipe.multi(), pipe.set("n", n + 1)), "n")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(400)))
    assert client.get("n") == b"400"


def test_locks(engine: Engine) -> None:
    client = sync_client(engine)
    with client.lock("lock", timeout=10) as lock:
        assert not client.lock("lock", blocking=False).acquire()
        assert lock.extend(5)
        assert 14_000 < client.pttl("lock") <= 15_000
        assert lock.extend(5, replace_ttl=True)
        assert 4000 < client.pttl("lock") <= 5000
        assert lock.reacquire()
        assert 9000 < client.pttl("lock") <= 10_000
        assert lock.owned()
    assert not client.exists("lock")
    with pytest.raises(redis.exceptions.LockError):
        lock.release()
    held = client.lock("lock", timeout=10)
    held.acquire()
    client.set("lock", "of another")
    with pytest.raises(redis.exceptions.LockNotOwnedError):
        held.extend(1)
    with pytest.raises(redis.exceptions.LockNotOwnedError):
        held.release()


def test_only_one_thread_holds_a_lock(engine: Engine) -> None:
    client = sync_client(engine)
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        with client.lock("lock", sleep=0.001, timeout=10):
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(40)))
    assert most == [1] * 40


@pytest.mark.anyio
async def test_locks_awaited(engine: Engine) -> None:
    client = async_client(engine)
    async with client.lock("lock", timeout=10) as lock:
        assert not await client.lock("lock", blocking=False).acquire()
        assert await lock.extend(5)
        assert await lock.reacquire()
    assert not await client.exists("lock")


def test_an_unknown_script_says_so_and_redis_py_loads_it(engine: Engine) -> None:
    client = sync_client(engine)
    with pytest.raises(redis.exceptions.NoScriptError):
        client.evalsha("1" * 40, 0)
    assert client.register_script("return 1")() == 1


def test_a_registered_procedure_is_called_by_its_script(engine: Engine) -> None:
    client = sync_client(engine, decode_responses=True)
    script = client.register_script("return ARGV[1] .. KEYS[1]")
    engine.register_procedure(script.sha.encode(), lambda context, keys, argv: argv[0] + keys[0])
    assert script(keys=["k"], args=["a"]) == "ak"
    pipe = client.pipeline()
    script(keys=["k"], args=["b"], client=pipe)
    assert pipe.execute() == ["bk"]


def test_databases_are_apart_and_clients_share_the_engine(engine: Engine) -> None:
    first, third, same = sync_client(engine), sync_client(engine, db=3), sync_client(engine)
    first.set("a", 1)
    third.set("a", 3)
    assert same.get("a") == b"1"
    assert third.pipeline().get("a").execute() == [b"3"]
    first.close()
    assert first.get("a") == b"1"


def test_a_client_of_one_connection_keeps_its_state(engine: Engine) -> None:
    with sync_client(engine).client() as single:
        single.execute_command("MULTI")
        assert single.incr("a") == b"QUEUED"
        assert sync_client(engine).get("a") is None
        assert single.execute_command("EXEC") == [1]


def test_connections_go_back_to_the_pool(engine: Engine) -> None:
    client = sync_client(engine)
    for _ in range(300):
        client.pipeline().set("a", 1).execute()
    assert len(client.connection_pool._available_connections) == 1
    assert "engine" in repr(client)


def test_dropped_pipelines_forget_what_they_watched(engine: Engine) -> None:
    client = sync_client(engine)
    pipe = client.pipeline()
    pipe.watch("a")
    pipe.reset()
    assert not any(database.watchers for database in engine.databases)


@pytest.mark.anyio
async def test_many_tasks_share_one_client(engine: Engine) -> None:
    client = async_client(engine)

    async def add(number: int) -> None:
        async with client.pipeline() as pipe:
            await pipe.incr("n").incrby("n", number).execute()
        await client.sadd("s", number)

    await asyncio.gather(*(add(number) for number in range(50)))
    assert int(await client.get("n")) == 50 + sum(range(50))
    assert await client.scard("s") == 50


def test_two_event_loops_in_two_threads(engine: Engine) -> None:
    def run(name: str) -> None:
        async def work() -> None:
            async with async_client(engine) as client:
                for number in range(100):
                    await client.set(f"{name}:{number}", number)

        asyncio.run(work())

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sync_client(engine).dbsize() == 200
