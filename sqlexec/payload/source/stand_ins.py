"""What stands in the pickle for what the server has or makes itself: imports, namespaces."""

from __future__ import annotations

import sys
from typing import Any

from sqlexec.errors import PackError
from sqlexec.runner.imports import import_name, import_package
from sqlexec.runner.loading import RENAMED
from sqlexec.runner.namespaces import user_module, user_namespace


class Import:
    """Stands in the pickle for a module, or a name of one, that the server imports itself."""

    def __init__(self, module: str, name: str | None, submodules: tuple[str, ...] = ()) -> None:
        self._module, self._name, self._submodules = module, name, submodules

    def __reduce__(self) -> tuple[Any, ...]:
        version = getattr(sys.modules.get(self._module.partition(".")[0]), "__version__", None)
        version = version if isinstance(version, str) else None
        if self._name is None:
            return import_package, (self._module, version, self._submodules)
        name = RENAMED.get((self._module, self._name), self._name)
        return import_name, (self._module, name, version)


class UserModule:
    """Stands for a module of the user's that goes whole, with submodules that are used by it."""

    def __init__(self, name: str, submodules: tuple[str, ...]) -> None:
        self._arguments = name, submodules

    def __reduce__(self) -> tuple[Any, ...]:
        return user_module, self._arguments


class Space:
    """Stands for the namespace of one of the user's modules."""

    def __init__(self, number: int, arguments: tuple[Any, ...]) -> None:
        self._arguments = (number, *arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return user_namespace, self._arguments


def by_name(value: Any) -> Any:
    """A function or class of an installed package, by the shortest name it is public under."""
    module, name = value.__module__ or "", value.__qualname__
    top = module.partition(".")[0]
    if top in ("sqlexec", "builtins") or (top in sys.stdlib_module_names and "<" not in name):
        return NotImplemented
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        shorter = ".".join(parts[:count])
        found: Any = sys.modules.get(shorter)
        for step in name.split("."):
            found = getattr(found, step, None)
        if found is value:
            return Import(shorter, name).__reduce__()
    raise PackError(
        f"Cannot send {module}.{name} by source: it was made inside of an installed package "
        "and has no name to import it by there. Make it inside the function instead"
    )
