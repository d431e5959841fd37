"""System procedures, one module a subject; each registers its own (see `registry`)."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from sqlexec.embedded.tsql.procedures.registry import SYSTEM_PROCEDURES, SystemProcedure


@cache
def system_procedures() -> dict[str, SystemProcedure]:
    """All system procedures by lower-case name."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return SYSTEM_PROCEDURES
