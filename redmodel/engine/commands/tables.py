"""All tables of commands, joined: a new file of commands is one more name in the list."""

from __future__ import annotations

from redmodel.engine.commands import (
    bit_fields,
    bitmaps,
    blocking,
    configuration,
    connection,
    expiry,
    geo,
    geo_search,
    hash_expiry,
    hashes,
    hyperloglog,
    keys,
    lists,
    numbers,
    pubsub,
    saving,
    scan,
    scripting,
    serialized,
    server,
    sets,
    sorted_set_algebra,
    sorted_set_ranges,
    sorted_sets,
    stream_groups,
    stream_info,
    stream_reading,
    streams,
    strings,
    transactions,
)
from redmodel.engine.registry import Command, collect

COMMANDS: dict[bytes, Command] = collect(
    (
        connection.TABLE,
        blocking.TABLE,
        keys.TABLE,
        expiry.TABLE,
        strings.TABLE,
        numbers.TABLE,
        bitmaps.TABLE,
        bit_fields.TABLE,
        hyperloglog.TABLE,
        hashes.TABLE,
        hash_expiry.TABLE,
        lists.TABLE,
        sets.TABLE,
        sorted_sets.TABLE,
        sorted_set_ranges.TABLE,
        sorted_set_algebra.TABLE,
        geo.TABLE,
        geo_search.TABLE,
        streams.TABLE,
        stream_groups.TABLE,
        stream_reading.TABLE,
        stream_info.TABLE,
        scan.TABLE,
        transactions.TABLE,
        pubsub.TABLE,
        scripting.TABLE,
        serialized.TABLE,
        saving.TABLE,
        server.TABLE,
        configuration.TABLE,
    )
)
"""Every command, by its name in upper and in lower case."""

server.COMMANDS.update({name: command for name, command in COMMANDS.items() if name.islower()})
