"""The keyspace census: rows in, report out. No printing, no I/O; ``redmodel.plan.scan`` brings the rows."""
