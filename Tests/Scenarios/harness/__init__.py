"""The parties of a scenario: a backend that follows a script, the real daemon, and clients.

Tests tell a story with them on one page. Order comes from events and barriers, never from sleeping;
every wait has a deadline, and a deadline that passes is a failure that says what was waited for.
"""

PATIENCE = 20.0
"""Seconds after which something that should happen is taken not to happen; more than the 10 s between pings."""
