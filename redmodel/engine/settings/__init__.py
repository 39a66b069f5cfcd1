"""The engine's parameters, by redis-server 7.0's names: what CONFIG, redis.conf and everybody who obeys one ask.

May live here: the table of parameters, their kinds, the object that holds their values, and the text of redis.conf.
What a parameter does stands where it is obeyed.
"""

from redmodel.engine.settings.settings import Settings

__all__ = ["Settings"]
