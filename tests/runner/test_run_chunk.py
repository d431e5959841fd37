"""A chunk from payload to outcomes, in this process: what the runner promises."""

import functools
import os
import random
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sqlexec.errors import IntegrityError, PackError, RemoteError, UnpackError
from sqlexec.payload import Packer, Reply, SendOtherwise, unpack
from sqlexec.runner.main import run_chunk
from sqlexec.runner.randomness import state_of
from sqlexec.tasks import Outcome, Task
from sqlexec.tracebacks import hide_own_frames


def run(
    function: Callable[..., object], *arguments: dict[str, Any], **options: Any
) -> list[Outcome]:
    frame = options.pop("frame", None)
    packer = Packer(function, **options)
    tasks = [Task(index, each) for index, each in enumerate(arguments or ({},))]
    result, failed = run_chunk(packer.chunk(tasks), frame)
    outcomes = unpack(result, packer.key).outcomes
    assert failed == sum(1 for each in outcomes if each.error is not None)
    return outcomes


def one(function: Callable[..., object], **options: Any) -> Outcome:
    (outcome,) = run(function, **options)
    return outcome


def value(function: Callable[..., object], **options: Any) -> Any:
    outcome = one(function, **options)
    if outcome.error:
        raise outcome.error
    return outcome.value


def test_values_come_back_in_order_with_times_and_process() -> None:
    outcomes = run(lambda x: x * x, {"x": 2}, {"x": 3}, {"x": 4})
    assert [each.value for each in outcomes] == [4, 9, 16]
    assert [each.index for each in outcomes] == [0, 1, 2]
    assert all(each.started <= each.ended for each in outcomes)
    assert {each.process_id for each in outcomes} == {os.getpid()}


def test_shared_arguments_and_own_ones_meet() -> None:
    outcomes = run(lambda x, y: x + y, {"x": 1}, {"x": 2}, shared={"y": 10})
    assert [each.value for each in outcomes] == [11, 12]


def test_local_state_is_seen_by_the_function_and_its_helpers() -> None:
    def helper() -> object:
        return STATE  # type: ignore[name-defined]  # noqa: F821

    assert value(helper, local_state={"STATE": 7}) == 7
    assert value(functools.partial(helper), local_state={"STATE": 8}) == 8


def test_local_state_is_no_matter_to_what_is_written_in_c() -> None:
    assert value(pow, shared={"base": 2, "exp": 3}, local_state={"STATE": 7}) == 8


class Own(Exception):
    def __init__(self, code: int, *, hint: str) -> None:
        super().__init__(code)
        self.code = code
        self.hint = hint

    def __reduce__(self) -> Any:
        return (functools.partial(Own, hint=self.hint), (self.code,))


class Stubborn(Exception):
    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")

    def __reduce__(self) -> Any:
        return Stubborn, (self.args[0],)  # which lacks the second


def raises(error: BaseException) -> Any:
    raise error


def test_an_exception_keeps_type_arguments_and_remote_traceback() -> None:
    error = one(lambda: raises(Own(5, hint="try again"))).error
    assert isinstance(error, Own)
    assert (error.code, error.hint) == (5, "try again")
    assert error.__cause__ is None
    text = "".join(traceback.format_exception(hide_own_frames(error)))
    assert "in raises\n    raise error\n" in text
    assert "sqlexec/runner" not in text, "the runner's own frames are left out"


def test_an_exception_that_cannot_be_rebuilt_tells_all_it_can() -> None:
    error = one(lambda: raises(Stubborn(1, 2))).error
    assert isinstance(error, RemoteError)
    assert error.type_name.endswith("Stubborn")
    assert "1 and 2" in str(error)
    assert "in raises" in error.remote_traceback


@pytest.mark.parametrize(
    "error", [SystemExit(0), SystemExit("bye"), KeyboardInterrupt(), GeneratorExit(), MemoryError()]
)
def test_no_exception_escapes(error: BaseException) -> None:
    outcomes = run(lambda x: raises(error) if x else "fine", {"x": 1}, {"x": 0})
    assert type(outcomes[0].error) is type(error)
    assert outcomes[1].value == "fine"


def test_an_exception_without_a_text_still_arrives() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

        def __reduce__(self) -> Any:
            raise RuntimeError("nor pickles")

    error = one(lambda: raises(Mute())).error
    assert isinstance(error, RemoteError)
    assert "Mute" in str(error)


def test_a_result_that_cannot_be_pickled_spoils_only_its_own_task() -> None:
    outcomes = run(lambda x: threading.Lock() if x else "fine", {"x": 1}, {"x": 0})
    assert isinstance(outcomes[0].error, TypeError)
    assert "cannot be sent back" in str(outcomes[0].error)
    assert outcomes[1].value == "fine"


def test_a_result_of_the_functions_own_class_is_of_the_clients_class() -> None:
    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

    result = value(lambda: Point(3))
    assert type(result) is Point
    assert result.x == 3


def writes(what: str) -> None:
    print("one")
    sys.stderr.write("two\n")
    os.write(1, b"three\n")
    print("four")
    subprocess.run([sys.executable, "-c", "print('five')"], stdout=sys.stdout, check=True)
    sys.stdout.buffer.write("six ä\n".encode())
    print(what, end="")


def test_console_in_order_and_told_apart() -> None:
    outcomes = run(writes, {"what": "a"}, {"what": "b"})
    for outcome, last in zip(outcomes, "ab", strict=True):
        out = "".join(text for stream, text in outcome.console if stream == "stdout")
        assert out == f"one\nthree\nfour\nfive\nsix ä\n{last}"
        assert ("stderr", "two\n") in outcome.console


def test_what_c_code_prints_is_captured() -> None:
    def calls_c() -> None:
        import ctypes

        ctypes.CDLL(None).puts(b"from C")

    assert one(calls_c).console == [("stdout", "from C\n")]


def test_console_of_a_task_that_fails_is_kept() -> None:
    def fails() -> None:
        print("before")
        raise ValueError

    assert one(fails).console == [("stdout", "before\n")]


def test_text_that_has_no_encoding_travels() -> None:
    assert one(lambda: print("\ud800 \U0001f600")).console == [("stdout", "\ud800 \U0001f600\n")]


def test_streams_and_descriptors_are_given_back() -> None:
    before = (sys.stdout, sys.stderr, os.fstat(1).st_ino, os.fstat(2).st_ino)
    meta = list(sys.meta_path)
    one(writes, shared={"what": ""})
    assert (sys.stdout, sys.stderr, os.fstat(1).st_ino, os.fstat(2).st_ino) == before
    assert sys.meta_path == meta


def test_warnings_are_told_once_a_task() -> None:
    def warns() -> None:
        for _ in range(3):
            warnings.warn("careful", UserWarning, stacklevel=1)

    for outcome in run(warns, {}, {}):
        ((category, text, file, _, module),) = outcome.warnings
        assert (category, text) == ("builtins.UserWarning", "careful")
        assert (file, module) == (__file__, __name__)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_warnings_of_a_fork_are_in_the_console() -> None:
    def forks() -> None:
        child = os.fork()
        if child == 0:
            warnings.warn("careful", UserWarning, stacklevel=1)
            os._exit(0)
        os.waitpid(child, 0)

    (outcome,) = run(forks, {})
    assert "UserWarning: careful" in "".join(text for _, text in outcome.console)


def test_an_array_that_many_tasks_have_is_sent_once_and_yet_their_own() -> None:
    def change(array: Any, start: int) -> Any:
        array[0] += start
        return array[0], len(array)

    array = np.zeros(50_000)
    tasks = [Task(n, {"array": array, "start": n}) for n in range(5)]
    tasks.append(Task(5, {"array": array[10:], "start": 5}))
    packer = Packer(change)
    payload = packer.chunk(tasks)
    assert len(payload) < 2.1 * array.nbytes
    outcomes = unpack(run_chunk(payload)[0], packer.key).outcomes
    expected = [*((n, 50_000) for n in range(5)), (5, 49_990)]
    assert [outcome.value for outcome in outcomes] == expected


def test_a_seed_reaches_a_numpy_that_the_function_imports() -> None:
    code = (
        "from sqlexec.runner.randomness import seed_run; seed_run(7, 0);"
        "import numpy; print(numpy.random.random())"
    )
    first, second = (subprocess.check_output([sys.executable, "-c", code]) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("seed", [0, 42, 2**32 - 1, 2**32, 2**100 + 3, 2**200])
@pytest.mark.parametrize("index", [0, 1, 100_000, 2**40])
def test_a_seed_is_spawned_as_numpy_does(seed: int, index: int) -> None:
    sequence = np.random.SeedSequence(seed, spawn_key=(index,))
    assert state_of(seed, index, 8) == list(sequence.generate_state(8))


def test_a_seed_gives_each_run_its_stream_whatever_the_chunks() -> None:
    def draw() -> tuple[float, float]:
        return random.random(), float(np.random.rand())

    packer = Packer(draw, seed=42)
    tasks = [Task(index) for index in range(4)]
    together, _ = run_chunk(packer.chunk(tasks))
    apart = [run_chunk(packer.chunk([task]))[0] for task in reversed(tasks)]
    first = [each.value for each in unpack(together, packer.key).outcomes]
    second = [unpack(each, packer.key).outcomes[0].value for each in reversed(apart)]
    assert first == second
    assert len(set(first)) == 4


def test_a_package_to_load_that_is_missing_is_named() -> None:
    with pytest.raises(RemoteError, match="packages_to_load names 'no_such_package'"):
        one(lambda: None, packages=["no_such_package"])


def test_bytecode_of_another_minor_version_is_asked_for_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packer = Packer(lambda: None)
    monkeypatch.setitem(packer._header, "python", [3, 5, 2])
    result, _ = run_chunk(packer.chunk([Task(0)]))
    with pytest.raises(SendOtherwise, match=r"lacks bytecode of Python 3\.5, it is Python"):
        unpack(result, packer.key)


def test_a_broken_payload_is_answered_not_raised() -> None:
    result, failed = run_chunk(b"nonsense")
    assert failed == 1
    with pytest.raises(IntegrityError, match="arrived broken"):
        unpack(result, b"")


def reply_of(packer: Packer, mutate: Callable[[bytearray], None]) -> Reply:
    result = bytearray(run_chunk(packer.chunk([Task(0)]))[0])
    mutate(result)
    return unpack(bytes(result), packer.key)


def test_a_changed_result_is_not_unpickled() -> None:
    packer = Packer(lambda: [1, 2, 3])
    with pytest.raises(IntegrityError, match="Nothing of it was used"):
        reply_of(packer, lambda result: result.__setitem__(-1, result[-1] ^ 1))
    with pytest.raises(IntegrityError):
        reply_of(packer, lambda result: result.__delitem__(slice(-3, None)))


def test_a_result_that_cannot_be_rebuilt_here_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    packer = Packer(lambda: pd.DataFrame({"a": [1]}))
    result, _ = run_chunk(packer.chunk([Task(0)]))
    monkeypatch.setitem(sys.modules, "pandas", None)
    (outcome,) = unpack(result, packer.key).outcomes
    assert isinstance(outcome.error, UnpackError)
    assert "cannot be rebuilt here" in str(outcome.error)


def test_what_cannot_be_packed_is_named() -> None:
    lock = threading.Lock()
    with pytest.raises(PackError, match="global 'LOCK' of function"):
        Packer(uses_global)
    with pytest.raises(PackError, match="closure variable 'lock' of function"):
        Packer(lambda: lock)
    with pytest.raises(PackError, match="argument 'x'"):
        Packer(lambda x: x, {"x": lock})
    with pytest.raises(PackError, match="item 'b' of argument 'x' of run 3"):
        Packer(lambda x: x).chunk([Task(3, {"x": {"a": 1, "b": lock}})])


LOCK = threading.Lock()


def uses_global() -> object:
    return LOCK


def test_cloudpickle_travels_where_the_server_lacks_it(tmp_path: Path) -> None:
    """In an interpreter without site-packages, so without cloudpickle."""
    from sqlexec.bundle.runner_source import render

    packer = Packer(lambda x: [y + x for y in (0, 1)])
    script = (
        "import sys\npayload, shared = sys.stdin.buffer.read(), b''\n"
        "longest_run_seconds = seconds_left = first_place = task_count = 0\n"
        "exec(compile(open(sys.argv[1]).read(), 'runner', 'exec'))\n"
        "assert 'sqlexec_runner' not in globals()\n"
        "assert result_length == len(result) and failed_count == 0\n"
        "sys.stdout.buffer.write(result)"
    )
    (tmp_path / "runner.py").write_text(render())
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, str(tmp_path / "runner.py")],
        input=packer.chunk([Task(0, {"x": 4})]),
        stdout=subprocess.PIPE,
        check=True,
    )
    reply = unpack(done.stdout, packer.key)
    assert reply.outcomes[0].value == [4, 5]
    assert "cloudpickle" not in reply.runtime["packages"], "the next process will lack it again"
    assert "numpy" not in reply.runtime["packages"]


def test_the_script_works_as_the_body_of_a_function() -> None:
    from sqlexec.bundle.runner_source import render

    body = "".join("    " + line for line in render().splitlines(True))
    scope: dict[str, Any] = {}
    packer = Packer(lambda: 5)
    limits = "longest_run_seconds, seconds_left, first_place, task_count"
    for parameters, inputs in (
        (f"payload, shared, {limits}", ()),
        (f"payload, shared, {limits}, InputDataSet", (FLIGHTS,)),
    ):
        text = f"def transform({parameters}):\n{body}\n    return result"
        exec(compile(text, "t", "exec"), scope)
        result = scope["transform"](packer.chunk([Task(0)]), b"", 0, 0, 0, 0, *inputs)
        assert unpack(result, packer.key).outcomes[0].value == 5


FLIGHTS = pd.DataFrame({"delay": [5.0, None, -3.0], "carrier": ["AA", "UA", "AA"]})


def test_rows_reach_the_function_as_a_data_source() -> None:
    def count(dataset: Any) -> Any:
        from revoscalepy import rx_data_step

        frame = rx_data_step(dataset, row_selection="carrier == 'AA'", vars_to_keep=["delay"])
        return len(frame), list(frame.columns)

    assert value(count, frame=FLIGHTS.copy(), input_argument="dataset") == (2, ["delay"])


def test_one_task_cannot_change_the_rows_of_the_next() -> None:
    def spoil(dataset: Any, x: int) -> Any:
        from revoscalepy import rx_import

        frame = rx_import(dataset)
        total = frame["delay"].sum()
        frame["delay"] = 0.0
        return total

    outcomes = run(spoil, {"x": 1}, {"x": 2}, frame=FLIGHTS.copy(), input_argument="dataset")
    assert [each.value for each in outcomes] == [2.0, 2.0]


def test_the_stand_in_says_what_it_lacks() -> None:
    def wants(name: str) -> Any:
        import revoscalepy

        return getattr(revoscalepy, name)

    error = run(wants, {"name": "rx_lin_mod"})[0].error
    assert isinstance(error, AttributeError)
    assert "this server has no revoscalepy" in str(error)


def test_a_data_source_made_inside_says_why_it_cannot_be_read() -> None:
    def reads() -> Any:
        from revoscalepy import RxSqlServerData, rx_data_step

        return rx_data_step(RxSqlServerData(sql_query="SELECT 1", connection_string="x"))

    assert "pass it in rx_exec" in str(one(reads).error)


def test_a_real_revoscalepy_keeps_its_functions(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "revoscalepy.py").write_text(
        "def rx_lin_mod():\n    return 'real'\n"
        "def rx_data_step(input_data):\n    return 'real ' + input_data\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "revoscalepy", raising=False)

    def both(dataset: Any) -> Any:
        import revoscalepy

        rows = len(revoscalepy.rx_data_step(dataset))
        return rows, revoscalepy.rx_data_step("x"), revoscalepy.rx_lin_mod()

    try:
        result = value(both, frame=FLIGHTS.copy(), input_argument="dataset")
    finally:
        sys.modules.pop("revoscalepy", None)
    assert result == (3, "real x", "real")


def test_rx_exec_inside_the_function_runs_there() -> None:
    def nested() -> Any:
        from revoscalepy import rx_exec

        runs = [
            rx_exec(lambda x: x + 1, [{"x": 1}, {"x": 2}]),
            rx_exec(lambda x, y: x + y, x=[1, 2], y=10, compute_context="local"),
            rx_exec(lambda x: x, {"x": [1]}, times_to_run=2),
            rx_exec(lambda x: x, {"x": 1}, 0),
        ]
        for wrong in ({"x": [1], "y": [1, 2]}, {"x": [1, 2], "times_to_run": 3}, {"seed": 1}):
            try:
                runs.append(rx_exec(lambda x: x, **wrong))
            except (ValueError, NotImplementedError) as error:
                runs.append(str(error))
        return runs

    *runs, unequal, unfit, lacking = value(nested)
    assert runs == [[2, 3], [11, 12], [[1], [1]], []]
    assert "one length" in unequal
    assert "times_to_run is 3, not 2" in unfit
    assert lacking.endswith("not seed")


def test_runs_never_share_arguments_that_can_change() -> None:
    def change(values: list[int], more: dict[str, list[int]]) -> tuple[list[int], bool]:
        values.append(1)
        return values, values is more["same"]

    values: list[int] = []
    arguments = [{"values": values, "more": {"same": values}}] * 3
    assert [each.value for each in run(change, *arguments)] == [([1], True)] * 3


def test_arguments_go_as_columns_only_where_all_tasks_have_the_same_names() -> None:
    def names(**arguments: object) -> dict[str, object]:
        return arguments

    for arguments in (
        [{"a": 1, "b": "x"}, {"b": "y", "a": 2.5}],
        [{"a": 1}, {"b": 2}],
        [{"a": 1, "b": 2}, {"a": 1}],
        [{"a": 1}, {"a": 1, "b": 2}],
        [{}, {}],
        [{"a": 1}, {"a": b"x" * 100_000}],
        [{"a": 1}, {"a": [1]}],
        [{"a": True}, {"a": None}],
    ):
        assert [each.value for each in run(names, *arguments)] == arguments


def test_an_exception_whose_pickling_exits_spoils_only_its_own_task() -> None:
    class Exits(Exception):
        def __reduce__(self) -> Any:
            raise SystemExit("in the middle of pickling")

    outcomes = run(lambda x: raises(Exits("x")) if x else "fine", {"x": 1}, {"x": 0})
    assert "Exits" in str(outcomes[0].error)
    assert outcomes[1].value == "fine"


def test_no_task_begins_after_the_budget() -> None:
    import time

    packer = Packer(lambda x: time.sleep(x) or x)
    tasks = [Task(index, {"x": 0.02}) for index in range(5, 15)]
    result, _ = run_chunk(packer.chunk(tasks, budget=0.03))
    outcomes = unpack(result, packer.key, None, range(5, 15)).outcomes
    assert [outcome.index for outcome in outcomes] == list(range(5, 5 + len(outcomes)))
    assert 1 <= len(outcomes) < 10
    with pytest.raises(UnpackError, match="other tasks"):
        unpack(result, packer.key, None, range(6, 16))


@pytest.mark.parametrize(("overtime", "all_of_them"), [(60.0, True), (0.01, False)])
def test_tasks_begin_after_the_budget_where_all_that_are_left_take_little(
    overtime: float, all_of_them: bool
) -> None:
    import time

    packer = Packer(lambda x: time.sleep(x) or x)
    tasks = [Task(index, {"x": 0.02}) for index in range(10)]
    result, _ = run_chunk(packer.chunk(tasks, budget=0.03, overtime=overtime))
    assert (len(unpack(result, packer.key).outcomes) == len(tasks)) == all_of_them
