"""Lua for the engine: an interpreter in a sandbox, the libraries that scripts use, and the functions that stay loaded.

Nothing here is imported before the first script comes: the interpreter is the package ``lupa``, an extra.
"""
