"""Pydantic models on plain Redis, typed and indexed, sync and asyncio; and on an embedded engine with no server at all."""
