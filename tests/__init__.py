"""The tests; they mirror ``redmodel/``. ``servers.py`` starts real servers, ``house/`` holds the house rules."""
