"""The user's own modules are found, and registered with cloudpickle for as long as it takes."""

from __future__ import annotations

import gc
import itertools
import sys
import types

import cloudpickle

from sqlexec.payload.bytecode import bytecode_dumps
from sqlexec.payload.modules import user_modules
from sqlexec.payload.whole_modules import WholeModules

WHOLE = WholeModules(sys.version_info[:2])


def test_what_the_user_registered_stays_so():
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    try:
        with bytecode_dumps(WHOLE):
            pass
        assert __name__ in cloudpickle.list_registry_pickle_by_value()
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def test_one_within_another():
    with bytecode_dumps(WHOLE):
        with bytecode_dumps(WHOLE):
            pass
        assert __name__ in cloudpickle.list_registry_pickle_by_value()
    assert __name__ not in cloudpickle.list_registry_pickle_by_value()


def test_modules_that_come_are_changed_and_go(tmp_path):
    one, other = (types.ModuleType("comes_and_goes") for _ in range(2))
    one.__file__ = other.__file__ = str(tmp_path / "comes_and_goes.py")
    assert one not in user_modules()
    sys.modules["comes_and_goes"] = one
    try:
        assert one in user_modules()
        sys.modules["comes_and_goes"] = other
        assert other in user_modules()
        assert one not in user_modules()
    finally:
        del sys.modules["comes_and_goes"]
    assert other not in user_modules()


def test_modules_that_come_while_they_are_listed():
    """The garbage collector runs at any allocation, and lets other threads go on."""
    numbers = itertools.count()

    def imports(phase, info):
        if phase == "start":
            name = f"come_meanwhile_{next(numbers)}"
            sys.modules[name] = types.ModuleType(name)

    threshold = gc.get_threshold()
    gc.callbacks.append(imports)
    gc.set_threshold(1)
    try:
        found = user_modules()
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(imports)
        for name in [each for each in sys.modules if each.startswith("come_meanwhile_")]:
            del sys.modules[name]
    assert sys.modules[__name__] in found
