"""All functions and @@variables that are computed in Python, by upper-case name."""

from __future__ import annotations

from sqlexec.embedded.tsql.scalar import (  # noqa: F401  (each registers its own)
    builtins,
    catalog_functions,
    date_functions,
    number_functions,
    session_functions,
)
from sqlexec.embedded.tsql.scalar.registry import BUILTINS, FUNCTIONS, SYSTEM_VARIABLES

__all__ = ["BUILTINS", "FUNCTIONS", "SYSTEM_VARIABLES"]
