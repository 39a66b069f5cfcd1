"""Every error text of the engine, in Redis' own words; a text that depends on its case is a function.

All were compared with redis-server 7.0.15. Nothing here decides when an error is due.
"""

from __future__ import annotations

from collections.abc import Sequence

from redmodel.errors import ReplyError

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_A_FLOAT = "ERR value is not a valid float"
OUT_OF_RANGE = "ERR value is out of range"
NOT_A_LONG = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
NOT_AN_INT = "ERR value is out of range, value must between -2147483648 and 2147483647"
NOT_POSITIVE = "ERR value is out of range, must be positive"
OVERFLOW = "ERR increment or decrement would overflow"
DECREMENT_OVERFLOW = "ERR decrement would overflow"
NAN_OR_INFINITY = "ERR increment would produce NaN or Infinity"
VALUE_NAN_OR_INFINITY = "ERR value is NaN or Infinity"
NO_SUCH_KEY = "ERR no such key"
SAME_OBJECT = "ERR source and destination objects are the same"
DB_RANGE = "ERR DB index is out of range"
INVALID_CURSOR = "ERR invalid cursor"
TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
OFFSET_RANGE = "ERR offset is out of range"
INDEX_RANGE = "ERR index out of range"
BUSY_KEY = "BUSYKEY Target key name already exists."
RESTORE_TTL = "ERR Invalid TTL value, must be >= 0"
RESTORE_IDLE = "ERR Invalid IDLETIME value, must be >= 0"
RESTORE_FREQUENCY = "ERR Invalid FREQ value, must be >= 0 and <= 255"
PAYLOAD_FOOTER = "ERR DUMP payload version or checksum are wrong"
PAYLOAD_DATA = "ERR Bad data format"

EXPIRE_NX_AND_OTHERS = "ERR NX and XX, GT or LT options at the same time are not compatible"
EXPIRE_GT_AND_LT = "ERR GT and LT options at the same time are not compatible"

HASH_NOT_AN_INTEGER = "ERR hash value is not an integer"
HASH_NOT_A_FLOAT = "ERR hash value is not a float"
FIELD_EXPIRE_NEGATIVE = "ERR invalid expire time, must be >= 0"
FIELDS_MISSING = "ERR Mandatory argument FIELDS is missing or not at the right position"
NUMFIELDS_POSITIVE = "ERR Parameter `numFields` should be greater than 0"
NUMFIELDS_WRONG = "ERR The `numfields` parameter must match the number of arguments"
NUMBER_OF_FIELDS = "ERR Number of fields must be a positive integer"

ZADD_NX_XX = "ERR XX and NX options at the same time are not compatible"
ZADD_NX_GT_LT = "ERR GT, LT, and/or NX options at the same time are not compatible"
ZADD_INCR_PAIR = "ERR INCR option supports a single increment-element pair"
SCORE_NAN = "ERR resulting score is not a number (NaN)"
MIN_MAX_FLOAT = "ERR min or max is not a float"
MIN_MAX_LEX = "ERR min or max not valid string range item"
LIMIT_ALONE = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
WITHSCORES_BYLEX = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
WEIGHT_NOT_A_FLOAT = "ERR weight value is not a float"
NUMKEYS_POSITIVE = "ERR numkeys should be greater than 0"
NUMKEYS_TOO_MANY = "ERR Number of keys can't be greater than number of args"
NUMKEYS_NEGATIVE = "ERR Number of keys can't be negative"
LIMIT_NEGATIVE = "ERR LIMIT can't be negative"
COUNT_POSITIVE = "ERR count should be greater than 0"

RANK_ZERO = (
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
    "or use negative to start from the end of the list"
)
COUNT_NEGATIVE = "ERR COUNT can't be negative"
MAXLEN_NEGATIVE = "ERR MAXLEN can't be negative"

STREAM_ID = "ERR Invalid stream ID specified as stream command argument"
INTERVAL_START = "ERR invalid start ID for the interval"
INTERVAL_END = "ERR invalid end ID for the interval"
XADD_ZERO = "ERR The ID specified in XADD must be greater than 0-0"
XADD_NOT_ABOVE = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
XADD_EXHAUSTED = "ERR The stream has exhausted the last possible ID, unable to add more items"
XADD_TOO_LARGE = "ERR Elements are too large to be stored"
TRIM_TWICE = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
TRIM_MAXLEN = "ERR The MAXLEN argument must be >= 0."
TRIM_LIMIT = "ERR The LIMIT argument must be >= 0."
TRIM_LIMIT_ALONE = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
XTRIM_NO_STRATEGY = "ERR syntax error, XTRIM must be called with a trimming strategy"
TRIM_LIMIT_EXACT = "ERR syntax error, LIMIT cannot be used without the special ~ option"
XSETID_BELOW_TOP = "ERR The ID specified in XSETID is smaller than the target stream top item"
XSETID_BELOW_DELETED = "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
XSETID_ADDED = "ERR entries_added must be positive"
XSETID_ADDED_SMALL = "ERR The entries_added specified in XSETID is smaller than the target stream length"
ENTRIES_READ = "ERR value for ENTRIESREAD must be positive or -1"
XGROUP_NO_KEY = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option "
    "to create an empty stream automatically."
)
BUSY_GROUP = "BUSYGROUP Consumer Group name already exists"
XREAD_UNBALANCED = "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
XREAD_NEW = "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
XREADGROUP_NO_GROUP = "ERR Missing GROUP option for XREADGROUP"
XREADGROUP_LAST = (
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
    "specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."
)
XAUTOCLAIM_COUNT = "ERR COUNT must be > 0"
TIMEOUT = "ERR timeout is not an integer or out of range"
TIMEOUT_NEGATIVE = "ERR timeout is negative"
TIMEOUT_NOT_A_FLOAT = "ERR timeout is not a float or out of range"
UNBLOCK_REASON = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"
UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK"
STREAM_GONE = "UNBLOCKED the stream key no longer exists"
GROUP_GONE = "NOGROUP the consumer group this client was blocked on no longer exists"

BIT_OFFSET = "ERR bit offset is not an integer or out of range"
BIT_VALUE = "ERR bit is not an integer or out of range"
BIT_ARGUMENT = "ERR The bit argument must be 1 or 0."
BITOP_NOT = "ERR BITOP NOT must be called with a single source key."
BITFIELD_TYPE = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
BITFIELD_OVERFLOW = "ERR Invalid OVERFLOW type specified"
BITFIELD_RO = "ERR BITFIELD_RO only supports the GET subcommand"

NOT_A_COUNTER = "WRONGTYPE Key is not a valid HyperLogLog string value."
CORRUPTED_COUNTER = "INVALIDOBJ Corrupted HLL object detected"
NO_SUCH_COUNTER = "ERR The specified key does not exist"
COUNTER_NOT_SPARSE = "ERR HLL encoding is not sparse"

GEO_UNIT = "ERR unsupported unit provided. please use M, KM, FT, MI"
GEO_COUNT = "ERR COUNT must be > 0"
GEO_ANY = "ERR the ANY argument requires COUNT argument"
GEO_MEMBER = "ERR could not decode requested zset member"
GEO_RADIUS = "ERR need numeric radius"
GEO_RADIUS_NEGATIVE = "ERR radius cannot be negative"
GEO_WIDTH = "ERR need numeric width"
GEO_HEIGHT = "ERR need numeric height"
GEO_BOX_NEGATIVE = "ERR height or width cannot be negative"

SORT_WEIGHT = "ERR One or more scores can't be converted into double"

LCS_NOT_STRINGS = "ERR The specified keys must contain string values"
LCS_LEN_AND_IDX = "ERR If you want both the length and indexes, please just use IDX."
LCS_TOO_LONG = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"

MULTI_NESTED = "ERR MULTI calls can not be nested"
EXEC_WITHOUT_MULTI = "ERR EXEC without MULTI"
DISCARD_WITHOUT_MULTI = "ERR DISCARD without MULTI"
WATCH_IN_MULTI = "ERR WATCH inside MULTI is not allowed"
NOT_IN_MULTI = "ERR Command not allowed inside a transaction"
EXEC_ABORT = "EXECABORT Transaction discarded because of previous errors."

NO_SCRIPT = "NOSCRIPT No matching script. Please use EVAL."
NO_INTERPRETER = (
    "ERR this engine runs registered procedures only without a Lua interpreter: pip install 'redmodel[lua]' for scripts"
)
SCRIPT_NO_ARGUMENTS = "ERR Please specify at least one argument for this redis lib call"
SCRIPT_ARGUMENT_TYPE = "ERR Lua redis lib command arguments must be strings or integers"
SCRIPT_WRITES_IN_RO = "ERR Can not execute a script with write flag using *_ro command."
SCRIPT_KILLED = "ERR Script killed by user with SCRIPT KILL..."
LIBRARY_TIMEOUT = "ERR FUNCTION LOAD timeout"
LIBRARY_NAME = (
    "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"
)
NOT_BUSY = "NOTBUSY No scripts in execution right now."
UNKILLABLE = (
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script "
    "termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
)
SCRIPT_UNKNOWN_COMMAND = "ERR Unknown Redis command called from script"
SCRIPT_ARITY = "ERR Wrong number of args calling Redis command from script"
SCRIPT_NOT_ALLOWED = "ERR This Redis command is not allowed from script"
SCRIPT_FLUSH_OPTION = "ERR SCRIPT FLUSH only support SYNC|ASYNC option"
SCRIPT_READ_ONLY = "ERR Write commands are not allowed from read-only scripts."

NO_PROTOCOL = "NOPROTO unsupported protocol version"
PROTOCOL_NOT_AN_INTEGER = "ERR Protocol version is not an integer or out of range"
CLIENT_NAME = "ERR Client names cannot contain spaces, newlines or special characters."
NO_PASSWORD = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled."
LFU_OFF = (
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
    "between policies at runtime LRU and LFU data will take some time to adjust."
)
LFU_ON = (
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies "
    "at runtime LRU and LFU data will take some time to adjust."
)


def shown(text: bytes) -> str:
    """Turn bytes that came from a client into text for an error line, so that they can be turned back.

    As in Redis line ends become spaces, and NUL ends the text.
    """
    return text.partition(b"\0")[0].decode("utf-8", "surrogateescape").replace("\r", " ").replace("\n", " ")


def wrong_type() -> ReplyError:
    """The key holds another type than the command works on."""
    return ReplyError(WRONG_TYPE)


def syntax() -> ReplyError:
    """The options of a command can't be read."""
    return ReplyError(SYNTAX)


def arity(name: bytes) -> ReplyError:
    """Too few or too many arguments; ``name`` is in lower case, and ``container|sub`` for a subcommand."""
    return ReplyError(f"ERR wrong number of arguments for '{name.decode()}' command")


def unknown_command(name: bytes, rest: Sequence[bytes]) -> ReplyError:
    """No such command; Redis shows at most 128 bytes of the name and of the arguments."""
    listed = b""
    for arg in rest:
        if len(listed) >= 128:
            break
        listed += b"'%b' " % arg[: 128 - len(listed)].partition(b"\0")[0]
    return ReplyError(f"ERR unknown command '{shown(name[:128])}', with args beginning with: {shown(listed)}")


def only_subscribing(name: bytes) -> ReplyError:
    """A subscriber in RESP2 asked for something else."""
    return ReplyError(
        f"ERR Can't execute '{name.decode()}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
        "are allowed in this context"
    )


def busy(*, function: bool) -> ReplyError:
    """A script runs too long, and only few commands are taken meanwhile."""
    kill = "FUNCTION KILL" if function else "SCRIPT KILL"
    return ReplyError(f"BUSY Redis is busy running a script. You can only call {kill} or SHUTDOWN NOSAVE.")


def script_not_permitted(reason: str) -> ReplyError:
    """The user may not do what a script asks for."""
    if reason == "command":
        return ReplyError("ERR The user executing the script can't run this command or subcommand")
    if reason == "channel":
        return ReplyError("ERR The user executing the script can't publish to the channel mentioned in the command")
    return ReplyError(
        "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments"
    )


def unknown_subcommand(container: bytes, sub: bytes) -> ReplyError:
    """The container is known, its subcommand is not."""
    return ReplyError(f"ERR unknown subcommand '{shown(sub[:128])}'. Try {container.decode().upper()} HELP.")


def subcommand_syntax(container: bytes, sub: bytes) -> ReplyError:
    """A subcommand whose options can't be read."""
    name = container.decode().upper()
    return ReplyError(f"ERR unknown subcommand or wrong number of arguments for '{shown(sub[:128])}'. Try {name} HELP.")


def no_block_in_scripts(name: bytes) -> ReplyError:
    """A script asked XREAD or its kin, by the name that it wrote, to wait."""
    return ReplyError(f"ERR {shown(name)} command is not allowed with BLOCK option from scripts")


def only_xreadgroup(option: str) -> ReplyError:
    """XREAD was given an option of XREADGROUP."""
    return ReplyError(f"ERR The {option} option is only supported by XREADGROUP. You called XREAD instead.")


def no_group_for_key(group: bytes, key: bytes) -> ReplyError:
    """The stream has no such consumer group, in the words of XGROUP and XINFO."""
    return ReplyError(f"NOGROUP No such consumer group '{shown(group)}' for key name '{shown(key)}'")


def no_key_or_group(key: bytes, group: bytes, where: str = "") -> ReplyError:
    """There is no such key or no such consumer group; ``where`` is added behind."""
    return ReplyError(f"NOGROUP No such key '{shown(key)}' or consumer group '{shown(group)}'{where}")


def invalid_expire(name: bytes) -> ReplyError:
    """A time to live that is not positive or too big; ``name`` is the command as the client wrote it."""
    return ReplyError(f"ERR invalid expire time in '{name.decode().lower()}' command")


def unsupported_option(option: bytes) -> ReplyError:
    """EXPIRE's words for an option that it does not know."""
    return ReplyError(f"ERR Unsupported option {shown(option)}")


NO_AUTH = "NOAUTH Authentication required."
HELLO_NO_AUTH = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option "
    "can be used to authenticate the client and select the RESP protocol version at the same time"
)
NOT_SAVED = (
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
    "may modify the data set are disabled, because this instance is configured to report errors during writes if RDB "
    "snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB "
    "error."
)
TOO_FEW_REPLICAS = "NOREPLICAS Not enough good replicas to write."
OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'."
NO_LOG = "ERR this engine has no log to rewrite: its data is in memory only"
REWRITING = "ERR Background append only file rewriting already in progress"


def cannot_write(reason: str) -> ReplyError:
    """The storage failed, so the engine takes no more writes."""
    return ReplyError(f"MISCONF Errors writing to the AOF file: {reason}")


def exec_abort_because(error: ReplyError, *, whole: bool = False) -> ReplyError:
    """A transaction that may not run for the reason in ``error``; ``whole`` shows its first word too."""
    text = error.text if whole else error.text.removeprefix("ERR ")
    return ReplyError(f"EXECABORT Transaction discarded because of: {text}")


def sort_not_permitted(option: str) -> ReplyError:
    """SORT would read keys that it does not name, and the user may not read all of them."""
    return ReplyError(f"ERR {option} option of SORT denied due to insufficient ACL permissions.")


def no_permission_any_more(error: ReplyError) -> ReplyError:
    """NOPERM for a command that was allowed when it was queued, for the reason in ``error``."""
    why = "no permission to execute the command or subcommand"
    if "keys" in error.text:
        why = "no permission to touch the specified keys"
    elif "channels" in error.text:
        why = "no permission to access one of the channels used as arguments to the command"
    return ReplyError(
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command "
        f"is no longer allowed for the following reason: {why}"
    )


def no_permission(reason: str, command: bytes) -> ReplyError:
    """NOPERM: the user may not run a command, or not on these keys or channels."""
    if reason == "command":
        return ReplyError(f"NOPERM this user has no permissions to run the '{command.decode()}' command")
    return ReplyError(f"NOPERM this user has no permissions to access one of the {reason}s used as arguments")
