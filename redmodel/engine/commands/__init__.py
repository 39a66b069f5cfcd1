"""The commands, one file for each group of Redis' own documentation; each file opens with its table."""
