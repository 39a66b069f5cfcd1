"""What the engine calls itself."""

from __future__ import annotations

REDIS_VERSION = "7.0.15"
"""The version of Redis whose behaviour and texts the engine has."""
