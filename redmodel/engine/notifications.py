"""Keyspace events: which class each belongs to, and which channels hear of it. When one is due the commands say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redmodel.engine.keyspace import Keyspace
    from redmodel.engine.pubsub import PubSub
    from redmodel.engine.settings import Settings

_CLASSES: dict[str, str] = {
    "g": "del rename_from rename_to move_from move_to copy_to restore expire persist",
    "$": "set setrange incrby incrbyfloat append setbit pfadd",
    "l": "lpush rpush lpop rpop linsert lset lrem ltrim sortstore",
    "s": "sadd srem spop sinterstore sunionstore sdiffstore",
    "h": "hset hdel hincrby hincrbyfloat hexpire hpersist hexpired",
    "z": "zadd zincr zrem zremrangebyscore zremrangebyrank zremrangebylex zpopmin zpopmax zunionstore zinterstore "
    "zdiffstore zrangestore georadiusstore geosearchstore",
    "t": "xadd xtrim xdel xsetid xgroup-create xgroup-createconsumer xgroup-delconsumer xgroup-destroy xgroup-setid",
    "x": "expired",
    "e": "evicted",
    "m": "keymiss",
    "n": "new",
}

CLASS_OF: dict[bytes, str] = {name.encode(): letter for letter, names in _CLASSES.items() for name in names.split()}
"""The class of every event, as its letter in notify-keyspace-events."""

EMPTYING = frozenset(
    b"hdel hexpired lpop rpop lrem ltrim srem spop zrem zremrangebyscore zremrangebyrank zremrangebylex zpopmin "
    b"zpopmax".split()
)
"""Events after which a key that is empty is gone, which is an event of its own."""


class Notifier:
    """Publishes the events that the settings ask for."""

    def __init__(self, settings: Settings, pubsub: PubSub) -> None:
        self._settings = settings
        self._pubsub = pubsub
        self._classes: frozenset[str] = frozenset()
        self.read()

    def read(self) -> None:
        """Read the setting anew."""
        letters = frozenset(self._settings.text("notify-keyspace-events"))
        self._classes = letters if letters & {"K", "E"} else frozenset()

    def __bool__(self) -> bool:
        return bool(self._classes)

    @property
    def misses(self) -> bool:
        """Whether anybody wants to know of keys that are looked up and not there."""
        return "m" in self._classes

    def publish(self, event: bytes, database: Keyspace, key: bytes) -> None:
        """Publish an event of a key where its class is asked for, and then that the key is gone where it is empty."""
        classes = self._classes
        if CLASS_OF[event] in classes:
            if "K" in classes:
                self._pubsub.publish(b"__keyspace@%d__:%b" % (database.number, key), event)
            if "E" in classes:
                self._pubsub.publish(b"__keyevent@%d__:%b" % (database.number, event), key)
        if event in EMPTYING and key not in database.values:
            self.publish(b"del", database, key)
