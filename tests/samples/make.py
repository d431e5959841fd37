"""Make stored samples of payloads and results: `python -m tests.samples.make`.

    payload-2/3.7.request   what a client packed for a server of Python 3.7
    payload-2/3.7.result    what the runner, in that Python with its numpy and pandas, answered

A folder is of one version of the format (runner.main.PROTOCOL) and is never written again once
that version was released: later code must go on reading it.  The table below says what each
task returns; the test compares in value and dtype.
"""

from __future__ import annotations

import linecache
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlexec.bundle.runner_source import render
from sqlexec.payload import PROTOCOL, Packer
from sqlexec.tasks import Task
from tests.environments import environment
from tests.samples.job import labels

FOLDER = Path(__file__).parent / f"payload-{PROTOCOL}"
SERVERS = {  # name of the sample -> environment, None for the client's own Python
    "3.6": "3.6 pandas 1.1",
    "3.7": "3.7 pandas 0.23",
    "3.10": "3.10 pandas 1.4",
    "3.11": None,
    "3.13": "3.13 pandas 3",
}

PLAIN = (
    "None",
    "-5",
    "2.5",
    "'text \\u00e4 \\U0001f600'",
    "FACTOR * 10 ** 30",
    "{'a': [1, 2.5, None, True], 'b': (b'x', {'y'}), 'c': frozenset([1])}",
    "b'x' * 70000",
    "bytearray(b'abc')",
    "array.array('d', [1.5, 2])",
    "collections.deque([1, 2], maxlen=2)",
    "collections.OrderedDict([('b', 1), ('a', 2)])",
    "datetime.datetime(2020, 1, 2, 3, 4, 5, 6, datetime.timezone.utc)",
    "datetime.timedelta(1, 2, 3)",
    "decimal.Decimal('1.10')",
    "fractions.Fraction(1, 3)",
    "uuid.UUID(int=5)",
    "pathlib.PurePosixPath('a/b')",
    "complex(1, -2)",
    "range(1, 9, 2)",
)
NUMPY = (
    "numpy.float32(1.5)",
    "numpy.str_('a')",
    "numpy.datetime64('2020-01-01T05', 'h')",
    "numpy.dtype('>i4')",
    "numpy.arange(6, dtype='i4').reshape(2, 3).T",
    "numpy.arange(9000, dtype='u2')",
    "numpy.array(5, '>f8')",
    "numpy.array([], 'f4').reshape(0, 3)",
    "numpy.array(['a', None, 1.5], object)",
    "numpy.array(['ab', 'c'])",
    "numpy.array([b'ab', b'c'])",
    "numpy.array(['2020-01-01', 'NaT'], 'M8[D]')",
    "numpy.array([(1, 2.5), (3, 4.5)], dtype=[('a', 'i4'), ('b', 'f8')])",
    "numpy.ma.array([1, 2], mask=[0, 1])",
)
PANDAS = (
    "pandas.Series([1.5, None], name='n')",
    "pandas.Series(['a', None], dtype=object, index=[3, 4])",
    "pandas.Timestamp('2020-01-02 03:04:05.000000007')",
    "pandas.Timestamp('2020-01-02 03:04:05.000000007', tz='Europe/Berlin')",
    "pandas.Timedelta(1, 'ns')",
    "pandas.Period('2020-02', 'M')",
    "pandas.Interval(1, 2, closed='both')",
    "pandas.NaT",
    "pandas.DatetimeIndex(numpy.array(['2020-01-01', 'NaT'], 'M8[ns]'), name='t')",
    "pandas.DatetimeIndex(numpy.array(['2020-06-01'], 'M8[ns]')).tz_localize('Europe/Berlin')",
    "pandas.TimedeltaIndex(numpy.array([1, 2], 'm8[ns]'))",
    "pandas.period_range('2020', periods=3, freq='D')",
    "pandas.interval_range(0, 3)",
    "pandas.RangeIndex(2, 8, 2, name='r')",
    "pandas.Index([1.5, 2.5], name='i')",
    "pandas.CategoricalIndex(['a', 'b', 'a'], labels('ab'), ordered=True)",
    "pandas.MultiIndex.from_product([[1, 2], labels('ab')], names=['x', 'y'])",
    "pandas.DataFrame({'a': [1, 2], 'b': [1.5, None]}, columns=labels('ab'))",
    "pandas.DataFrame({'t': numpy.array(['2020', 'NaT'], 'M8[ns]'), 'f': [True, False]}, "
    "columns=labels('tf'))",
    "pandas.DataFrame({'x': pandas.Categorical(['x', 'y'], labels('xy')), 'b': [b'a', None]}, "
    "columns=labels('xb'))",
    "pandas.DataFrame(numpy.arange(2400.0).reshape(-1, 2), columns=labels('pq'))",
    "pandas.DataFrame(numpy.zeros((0, 1), 'i4'), pandas.Index([], dtype='f8'), labels('a'))",
)
NEWER = (  # from pandas 1.4 on
    "pandas.Series(pandas.array([1, None, 2 ** 60], dtype='Int64'))",
    "pandas.Series(pandas.array([1.5, None], dtype='Float64'))",
    "pandas.Series(pandas.array([True, None], dtype='boolean'))",
    "pandas.Series(['a', None], dtype=pandas.StringDtype('python'))",
    "pandas.NA",
)
SCIPY = (
    "scipy.sparse.csr_matrix(numpy.array([[0, 1.5], [2, 0]]))",
    "scipy.sparse.coo_matrix(numpy.array([[0, 1], [2, 0]], 'i2'))",
)
GIVEN = ("given + 1",)  # with an argument that the client pickles
CONSOLE = ("console()", "error()")  # those that are not compared as values


def expressions(sample: str) -> tuple[str, ...]:
    """Those of the tasks of a sample."""
    newer = NEWER if sample not in ("3.6", "3.7") else ()
    scipy = SCIPY if sample not in ("3.6", "3.11") else ()
    return (*PLAIN, *NUMPY, *PANDAS, *newer, *scipy, *GIVEN, *CONSOLE)


def given() -> Any:
    """The argument of the tasks in GIVEN."""
    import pandas

    index = pandas.Index([5, 6], name="k")
    return pandas.DataFrame({"a": [1, 2], "b": [0.5, None]}, index, labels("ab"))


def without_path(name: str, file: Path) -> Any:
    """Load a module under its file's bare name: no sample shall tell where it was made."""
    text = file.read_text("utf-8")
    linecache.cache[file.name] = (len(text), None, text.splitlines(True), file.name)
    module = sys.modules[name] = ModuleType(name)
    module.__file__ = file.name
    exec(compile(text, file.name, "exec"), vars(module))
    return module


def main() -> None:
    """Write all samples of the present version anew."""
    FOLDER.mkdir(exist_ok=True)
    evaluate = without_path("samples_job", Path(__file__).with_name("job.py")).evaluate
    for sample, name in SERVERS.items():
        version = [int(each) for each in sample.split(".")]
        runtime = {"python": version, "packages": {}} if name else None
        tasks = [
            Task(index, {"expression": each, **({"given": given()} if each in GIVEN else {})})
            for index, each in enumerate(expressions(sample))
        ]
        request = Packer(evaluate).chunk(tasks, runtime)
        python = environment(name) if name else sys.executable
        (FOLDER / f"{sample}.request").write_bytes(request)
        (FOLDER / f"{sample}.result").write_bytes(answer(str(python), request))


def answer(python: str, request: bytes) -> bytes:
    """What the runner in that Python makes of a payload."""
    script = (
        "import sys\nsource, payload = eval(sys.stdin.buffer.read())\nshared = None\n"
        "longest_run_seconds = seconds_left = first_place = task_count = 0\n"
        "\n"
        "exec(compile(source, 'runner', 'exec'))\nsys.stdout.buffer.write(result)"
    )
    return subprocess.run(
        [python, "-I", "-c", script],
        input=repr((render(), request)).encode(),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout


if __name__ == "__main__":
    main()
