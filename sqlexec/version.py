"""The version of client and bundle, which go together."""

from __future__ import annotations

__version__ = "0.2.0"
