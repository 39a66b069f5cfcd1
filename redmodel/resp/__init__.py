"""The wire format of Redis, RESP 2 and 3: what a server reads and writes, and what a client reads.

Here live push parsers, which are fed bytes and give back whole requests or replies, and the writer of replies. No I/O,
and nothing that knows what a command means.
"""
