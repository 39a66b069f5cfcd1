"""The numbers of the RDB format: versions, opcodes and the types of values. Nothing else."""

from __future__ import annotations

MAGIC = b"REDIS"
OLDEST = 1
NEWEST = 12
WRITTEN = 10
"""The version that is written: redis-server 7.0's, which every later one reads."""

WRITTEN_WITH_FIELD_DEADLINES = 12
"""The version that is written where fields of hashes have deadlines: Redis 7.4's, which no older one reads."""

CHECKSUM_FROM = 5
"""Files of this version and later end in a checksum."""

FIRST_OPCODE = 244
SLOT_INFO = 244
FUNCTION = 245
FUNCTION_PRE_GA = 246
MODULE_AUX = 247
IDLE = 248
FREQUENCY = 249
AUX = 250
RESIZE_DATABASE = 251
EXPIRE_MS = 252
EXPIRE_SECONDS = 253
SELECT_DATABASE = 254
END = 255

STRING = 0
LIST = 1
SET = 2
ZSET = 3
HASH = 4
ZSET_2 = 5
MODULE = 6
MODULE_2 = 7
HASH_ZIPMAP = 9
LIST_ZIPLIST = 10
SET_INTSET = 11
ZSET_ZIPLIST = 12
HASH_ZIPLIST = 13
LIST_QUICKLIST = 14
STREAM_LISTPACKS = 15
HASH_LISTPACK = 16
ZSET_LISTPACK = 17
LIST_QUICKLIST_2 = 18
STREAM_LISTPACKS_2 = 19
SET_LISTPACK = 20
STREAM_LISTPACKS_3 = 21
HASH_DEADLINES_PRE_GA = 22
HASH_LISTPACK_DEADLINES_PRE_GA = 23
HASH_DEADLINES = 24
HASH_LISTPACK_DEADLINES = 25

LAST_TYPE_OF_10 = STREAM_LISTPACKS_2
"""The last type of a value that version 10, redis-server 7.0's, knows."""
