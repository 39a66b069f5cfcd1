"""INFO: everything that is counted and known, in Redis' sections and by Redis' names."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Callable
from functools import cache
from random import Random
from time import time_ns

from redmodel.engine.context import Context
from redmodel.engine.memory import BASE
from redmodel.engine.registry import Args, Table
from redmodel.engine.replies import Reply, Verbatim
from redmodel.engine.version import REDIS_VERSION

TABLE = Table(("INFO", -1, "loading stale", (0, 0, 0)))

Lines = dict[str, object]

# Not shown unless asked for by name, or with ``all``.
_EXTRA = frozenset(("commandstats", "latencystats"))
_RUN_ID = f"{Random(time_ns() ^ os.getpid()).getrandbits(160):040x}"
_ZEROS = "0" * 40


@TABLE.handles("INFO")
def info(context: Context, args: Args) -> Reply:
    asked = {section.decode("latin-1").lower() for section in args[1:]} or {"default"}
    parts: list[str] = []
    for title, lines in SECTIONS.items():
        name = title.lower()
        if name in asked or asked & {"all", "everything"} or ("default" in asked and name not in _EXTRA):
            body = "".join(f"{field}:{value}\r\n" for field, value in lines(context).items())
            parts.append(f"# {title}\r\n{body}")
    return Verbatim("\r\n".join(parts).encode())


@cache
def _own_version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # here, because it is slow to import

    try:
        return version("redmodel")
    except PackageNotFoundError:
        return "0"


def resident() -> int:
    """Bytes of memory that the process holds."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def human(size: float) -> str:
    """A number of bytes as Redis shows it to people.

    >>> human(1000), human(1536), human(104857600)
    ('1000B', '1.50K', '100.00M')
    """
    if size < 1024:
        return f"{int(size)}B"
    for unit in "KMGTP":
        size /= 1024
        if size < 1024:
            return f"{size:.2f}{unit}"
    return f"{size:.2f}P"


def _server(context: Context) -> Lines:
    settings = context.engine.settings
    uptime = max(context.now() - context.engine.started, 0) // 1000
    return {
        "redis_version": REDIS_VERSION,
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": "redmodel",
        "redis_mode": "standalone",
        "redmodel_version": _own_version(),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "arch_bits": 64,
        "monotonic_clock": "POSIX clock_gettime",
        "multiplexing_api": "epoll",
        "atomicvar_api": "python",
        "gcc_version": "0.0.0",
        "process_id": os.getpid(),
        "process_supervised": "no",
        "run_id": _RUN_ID,
        "tcp_port": settings.number("port"),
        "server_time_usec": context.now() * 1000,
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime // 86400,
        "hz": settings.number("hz"),
        "configured_hz": settings.number("hz"),
        "lru_clock": context.now() // 1000 & 0xFFFFFF,
        "executable": sys.executable,
        "config_file": settings.file or "",
        "io_threads_active": 0,
    }


def _clients(context: Context) -> Lines:
    engine = context.engine
    waiting = sum(1 for number in engine.clients.by_id if engine.waiters.of(number) is not None)
    held_up = sum(session.held_up for session in engine.clients.by_id.values())
    buffers = [session.peer.buffers() for session in engine.clients.by_id.values() if session.peer is not None]
    return {
        "connected_clients": len(engine.clients.by_id),
        "cluster_connections": 0,
        "maxclients": engine.settings.number("maxclients"),
        "client_recent_max_input_buffer": max((each.requests for each in buffers), default=0),
        "client_recent_max_output_buffer": max((each.replies for each in buffers), default=0),
        "blocked_clients": waiting + held_up,
        "tracking_clients": len(engine.tracking.sessions),
        "clients_in_timeout_table": waiting,
    }


def _memory(context: Context) -> Lines:
    engine = context.engine
    used, held = engine.memory.used(), resident()
    peak = engine.statistics.peak_memory = max(engine.statistics.peak_memory, used)
    dataset = used - BASE
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = engine.settings.number("maxmemory")
    lines: Lines = {
        "used_memory": used,
        "used_memory_human": human(used),
        "used_memory_rss": held,
        "used_memory_rss_human": human(held),
        "used_memory_peak": peak,
        "used_memory_peak_human": human(peak),
        "used_memory_peak_perc": f"{100 * used / peak:.2f}%",
        "used_memory_overhead": BASE,
        "used_memory_startup": BASE,
        "used_memory_dataset": dataset,
        "used_memory_dataset_perc": f"{100 * dataset / max(used - BASE, 1):.2f}%",
        "allocator_allocated": used,
        "allocator_active": held,
        "allocator_resident": held,
        "total_system_memory": total,
        "total_system_memory_human": human(total),
        "used_memory_lua": 0,
        "used_memory_vm_eval": 0,
        "used_memory_lua_human": "0B",
        "used_memory_scripts_eval": 0,
        "number_of_cached_scripts": len(engine.scripting.sources),
        "number_of_functions": sum(len(library.functions or ()) for library in engine.scripting.libraries.awake),
        "number_of_libraries": len(engine.scripting.libraries.sources),
        "used_memory_vm_functions": 0,
        "used_memory_vm_total": 0,
        "used_memory_vm_total_human": "0B",
        "used_memory_functions": 0,
        "used_memory_scripts": 0,
        "used_memory_scripts_human": "0B",
        "maxmemory": limit,
        "maxmemory_human": human(limit),
        "maxmemory_policy": engine.settings.text("maxmemory-policy"),
        "mem_fragmentation_ratio": f"{held / used:.2f}",
        "mem_fragmentation_bytes": held - used,
        "mem_not_counted_for_evict": 0,
        "mem_replication_backlog": 0,
        "mem_total_replication_buffers": 0,
        "mem_clients_slaves": 0,
        "mem_clients_normal": engine.client_memory.all(),
        "mem_cluster_links": 0,
        "mem_aof_buffer": 0,
        "mem_allocator": "python",
        "active_defrag_running": 0,
        "lazyfree_pending_objects": 0,
        "lazyfreed_objects": 0,
    }
    return lines


def _persistence(context: Context) -> Lines:
    engine = context.engine
    return {
        "loading": int(context.loading),
        "async_loading": 0,
        "current_cow_peak": 0,
        "current_cow_size": 0,
        "current_cow_size_age": 0,
        **engine.saves.info(),
        "rdb_last_cow_size": 0,
        "aof_enabled": int(engine.durable),
        "aof_rewrite_in_progress": 0,
        "aof_last_rewrite_time_sec": -1,
        "aof_current_rewrite_time_sec": -1,
        "aof_last_bgrewrite_status": "ok",
        "aof_rewrites": 0,
        "aof_rewrites_consecutive_failures": 0,
        **engine.log_info(),
        "aof_rewrite_scheduled": int(engine.saves.rewrite_scheduled),
        "aof_last_cow_size": 0,
        "module_fork_in_progress": 0,
        "module_fork_last_cow_size": 0,
    }


def _stats(context: Context) -> Lines:
    engine = context.engine
    counted = engine.statistics
    commands, read, written = counted.rates()
    return {
        "total_connections_received": engine.clients.received,
        "total_commands_processed": counted.processed,
        "instantaneous_ops_per_sec": commands,
        "total_net_input_bytes": counted.read_bytes,
        "total_net_output_bytes": counted.written_bytes,
        "total_net_repl_input_bytes": 0,
        "total_net_repl_output_bytes": 0,
        "instantaneous_input_kbps": f"{read:.2f}",
        "instantaneous_output_kbps": f"{written:.2f}",
        "instantaneous_input_repl_kbps": "0.00",
        "instantaneous_output_repl_kbps": "0.00",
        "rejected_connections": engine.clients.rejected,
        "sync_full": engine.replication.full_syncs,
        "sync_partial_ok": 0,
        "sync_partial_err": engine.replication.refused_parts,
        "expired_keys": counted.expired,
        "expired_stale_perc": "0.00",
        "expired_time_cap_reached_count": 0,
        "expire_cycle_cpu_milliseconds": 0,
        "evicted_keys": counted.evicted,
        "evicted_clients": counted.evicted_clients,
        "total_eviction_exceeded_time": 0,
        "current_eviction_exceeded_time": 0,
        "keyspace_hits": counted.hits,
        "keyspace_misses": counted.misses,
        "pubsub_channels": len(engine.pubsub.channels),
        "pubsub_patterns": len(engine.pubsub.patterns),
        "pubsubshard_channels": len(engine.pubsub.shards),
        "latest_fork_usec": 0,
        "total_forks": 0,
        "migrate_cached_sockets": 0,
        "slave_expires_tracked_keys": 0,
        "active_defrag_hits": 0,
        "active_defrag_misses": 0,
        "active_defrag_key_hits": 0,
        "active_defrag_key_misses": 0,
        "total_active_defrag_time": 0,
        "current_active_defrag_time": 0,
        "tracking_total_keys": 0,
        "tracking_total_items": 0,
        "tracking_total_prefixes": 0,
        "unexpected_error_replies": 0,
        "total_error_replies": counted.error_replies,
        "dump_payload_sanitizations": 0,
        "total_reads_processed": counted.processed,
        "total_writes_processed": counted.processed,
        "io_threaded_reads_processed": 0,
        "io_threaded_writes_processed": 0,
        "reply_buffer_shrinks": 0,
        "reply_buffer_expands": 0,
        **{f"acl_access_denied_{name}": count for name, count in counted.acl_denied.items()},
    }


def _replication(context: Context) -> Lines:
    settings, replication = context.engine.settings, context.engine.replication
    lines: Lines = {"role": "master", "connected_slaves": len(replication.replicas)}
    if replication.needed:
        lines["min_slaves_good_slaves"] = replication.good()
    for number, replica in enumerate(replication.replicas.values()):
        host, port = replica.place
        lag = replica.lag if replica.state == "online" else 0
        lines[f"slave{number}"] = (
            f"ip={host.decode()},port={port},state={replica.state},offset={replica.acknowledged},lag={lag}"
        )
    return {
        **lines,
        "master_failover_state": "no-failover",
        "master_replid": replication.id,
        "master_replid2": _ZEROS,
        "master_repl_offset": replication.offset,
        "second_repl_offset": -1,
        "repl_backlog_active": 0,
        "repl_backlog_size": settings.number("repl-backlog-size"),
        "repl_backlog_first_byte_offset": 0,
        "repl_backlog_histlen": 0,
    }


def _cpu(context: Context) -> Lines:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "used_cpu_sys": f"{own.ru_stime:.6f}",
        "used_cpu_user": f"{own.ru_utime:.6f}",
        "used_cpu_sys_children": f"{children.ru_stime:.6f}",
        "used_cpu_user_children": f"{children.ru_utime:.6f}",
        "used_cpu_sys_main_thread": f"{own.ru_stime:.6f}",
        "used_cpu_user_main_thread": f"{own.ru_utime:.6f}",
    }


def _commandstats(context: Context) -> Lines:
    lines: Lines = {}
    for name, count in context.engine.statistics.commands.items():
        spent = count.nanoseconds // 1000
        lines[f"cmdstat_{name.decode()}"] = (
            f"calls={count.calls},usec={spent},usec_per_call={spent / count.calls if count.calls else 0:.2f},"
            f"rejected_calls={count.rejected},failed_calls={count.failed}"
        )
    return lines


def _errorstats(context: Context) -> Lines:
    return {f"errorstat_{word}": f"count={count}" for word, count in sorted(context.engine.statistics.errors.items())}


def _latencystats(context: Context) -> Lines:
    if not context.engine.settings.flag("latency-tracking"):
        return {}
    percentiles: tuple[float, ...] = context.engine.settings.items("latency-tracking-info-percentiles")
    return {
        f"latency_percentiles_usec_{name.decode()}": ",".join(f"p{p:g}={count.percentile(p):.3f}" for p in percentiles)
        for name, count in context.engine.statistics.commands.items()
        if count.latencies
    }


def _cluster(context: Context) -> Lines:
    return {"cluster_enabled": 0}


def _keyspace(context: Context) -> Lines:
    lines: Lines = {}
    now = context.now()
    for database in context.engine.databases:
        if database.values:
            count = len(database.deadlines)
            left = sum(max(deadline - now, 0) for deadline in database.deadlines.values()) // count if count else 0
            lines[f"db{database.number}"] = f"keys={len(database.values)},expires={count},avg_ttl={left}"
    return lines


def _modules(context: Context) -> Lines:
    return {}


SECTIONS: dict[str, Callable[[Context], Lines]] = {
    "Server": _server,
    "Clients": _clients,
    "Memory": _memory,
    "Persistence": _persistence,
    "Stats": _stats,
    "Replication": _replication,
    "CPU": _cpu,
    "Modules": _modules,
    "Commandstats": _commandstats,
    "Errorstats": _errorstats,
    "Latencystats": _latencystats,
    "Cluster": _cluster,
    "Keyspace": _keyspace,
}
"""Redis' sections in its order, and what makes each one's lines."""
