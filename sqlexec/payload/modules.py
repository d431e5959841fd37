"""Which loaded modules are the user's own, and so unknown to the server's Python.

A module is the user's where its file lies outside of the standard library and of every
site-packages: it goes by value.  Installed packages are imported on the server.
"""

from __future__ import annotations

import importlib.util
import os
import site
import sys
import sysconfig
from functools import lru_cache
from types import ModuleType

_OURS = ("sqlexec", "cloudpickle", "revoscalepy")  # the last is the server's own
_last: list[tuple[dict[str, ModuleType], list[ModuleType]]] = [({}, [])]  # looked at, found


def user_modules() -> list[ModuleType]:
    """The user's own modules among sys.modules, parents before their submodules."""
    # A copy is made in one step; a loop may run the garbage collector half-way, and with it
    # another thread, that imports a module.
    loaded = sys.modules.copy()
    seen, found = _last[0]
    if loaded != seen:
        found = [module for name, module in loaded.items() if _is_users(name, module)]
        _last[0] = loaded, found
    return found


def find_user_module(name: str) -> tuple[str, bool] | None:
    """File of a module of the user's, loaded or not, and whether it is a package; else None."""
    top = name.partition(".")[0]
    if top in _OURS or top in sys.stdlib_module_names or name == "__main__":
        return None
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, AttributeError, ValueError):
        return None
    file = spec.origin if spec is not None else None
    if spec is None or not file or not file.endswith(".py") or not is_users_file(file):
        return None
    return file, spec.submodule_search_locations is not None


def is_users_module(name: str) -> bool:
    """Is a loaded module the user's? So is `__main__`."""
    return name == "__main__" or _is_users(name, sys.modules.get(name))


@lru_cache(maxsize=4096)
def is_users_file(file: str) -> bool:
    """Does a file lie outside of all installed code? So do cells and prompts."""
    path = os.path.realpath(file)
    return not path.startswith(_installed()) and not file.startswith("<frozen")


def _is_users(name: str, module: object) -> bool:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not isinstance(module, ModuleType):
        return False
    if name == "__main__" or name.partition(".")[0] in _OURS:
        return False  # __main__ always goes by value
    return is_users_file(file)


@lru_cache(maxsize=1)
def _installed() -> tuple[str, ...]:
    """Folders of installed code, with a separator at their end."""
    paths = set(sysconfig.get_paths().values()) | set(site.getsitepackages())
    paths.add(site.getusersitepackages())
    scripts_and_data = {sysconfig.get_path("scripts"), sysconfig.get_path("data")}
    folders = {os.path.realpath(path) for path in paths - scripts_and_data}
    folders.update(os.path.realpath(path) for path in sys.path if path.endswith("-packages"))
    return tuple(folder + os.sep for folder in folders)
