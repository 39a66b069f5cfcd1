"""Who does the I/O: the handles, the two drivers that run plans, and the transports that carry their batches."""
