"""The engine against a real redis-server 7.0: the same commands to both, and the bytes of the replies compared."""
