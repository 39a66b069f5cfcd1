"""Who may do what: users with their passwords, rules and selectors, and the log of what was refused.

May live here: what a user is and is allowed. The commands that speak of it are ``commands/acl.py``'s, asking whether a
command may run is the gate's.
"""
