"""How control leaves a statement other than by going on with the next one."""

from __future__ import annotations

import enum


class Signal(enum.Enum):
    """What a statement tells the one around it."""

    BREAK = enum.auto()
    CONTINUE = enum.auto()
    RETURN = enum.auto()


class BatchEnded(Exception):
    """The batch is over; the error behind it has been given to the sink."""


class Cancelled(Exception):
    """The client has sent an ATTENTION or is gone."""
