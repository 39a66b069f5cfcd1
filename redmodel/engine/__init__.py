"""The embedded engine: a Redis in pure Python, in process.

Here live the dispatch, the databases, the commands and the values; ``storage/`` keeps what they change. Nothing in this
room knows of models or sockets.
"""
