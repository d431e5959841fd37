"""Parallel external memory algorithms on this machine: the methods, in their order."""

from __future__ import annotations

import numpy
import pandas
import pytest

from sqlexec import NotConvergedWarning, PemaBase, RxSqlServerData, pema_compute
from sqlexec.errors import ConfigurationError
from sqlexec.rx import chunks


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(chunks, "ROWS_PER_READ", 10)


FRAME = pandas.DataFrame({"a": numpy.arange(35.0), "b": 1})


class Mean(PemaBase):
    def initialize(self, column="a"):
        self.column = column
        self.count, self.sum, self.chunks = 0, 0.0, []

    def process_data(self, chunk):
        self.count += len(chunk)
        self.sum += float(chunk[self.column].sum())
        self.chunks.append(len(chunk))
        chunk[self.column] = 0  # its own: nobody sees this

    def update_results(self, other):
        self.count += other.count
        self.sum += other.sum
        self.chunks += other.chunks

    def process_results(self):
        return self.sum / self.count


class Root(PemaBase):
    """Newton's square root of the sum of a column: iterative, with a sum a pass."""

    def initialize(self, tolerance=1e-12):
        self.tolerance, self.value, self.change, self.sum = tolerance, 1.0, None, None

    def init_iteration(self):
        self.sum = 0.0

    def process_data(self, chunk):
        self.sum += chunk["a"].sum()

    def update_results(self, other):
        self.sum += other.sum

    def process_results(self):
        before, self.value = self.value, (self.value + self.sum / self.value) / 2
        self.change = abs(self.value - before)
        return self.value

    def has_converged(self):
        return self.change < self.tolerance


def test_chunk_by_chunk():
    mean = Mean()
    assert pema_compute(mean, FRAME) == 17.0
    assert mean.chunks == [10, 10, 10, 5]
    assert mean.iter == 1
    assert FRAME["a"].sum() == 595


def test_fields_of_the_object_and_of_the_call():
    assert pema_compute(Mean(column="b"), FRAME) == 1.0
    mean = Mean(column="a")
    assert pema_compute(mean, FRAME, column="b") == 1.0
    assert pema_compute(mean, FRAME) == 1.0  # it keeps them


def test_going_on():
    mean = Mean()
    pema_compute(mean, FRAME)
    assert pema_compute(mean, pandas.DataFrame({"a": [100.0] * 35}), init_pema=False) == 58.5
    assert mean.count == 70
    assert pema_compute(mean, FRAME) == 17.0  # anew


def test_passes_until_convergence():
    root = Root()
    assert pema_compute(root, FRAME) == pytest.approx(595**0.5)
    passes = root.iter
    assert passes > 3
    pema_compute(root, FRAME, init_pema=False)  # goes on from what it has found
    assert root.iter == passes + 1


def test_too_few_passes():
    root = Root()
    with pytest.warns(NotConvergedWarning, match="Root has not converged in 2 passes"):
        pema_compute(root, FRAME, max_iters=2)
    assert root.iter == 2


def test_an_exception_leaves_the_object_as_it_was():
    mean = Mean()
    pema_compute(mean, FRAME)
    with pytest.raises(KeyError, match="nothing"):
        pema_compute(mean, FRAME, column="nothing")
    assert (mean.column, mean.count, mean.iter) == ("a", 35, 1)
    with pytest.raises(ZeroDivisionError):
        pema_compute(mean, FRAME.iloc[:0])
    assert mean.count == 35


def test_progress(capsys):
    pema_compute(Mean(), FRAME, report_progress=1)
    assert capsys.readouterr().out.startswith("Mean: pass 1, 35 rows in ")
    pema_compute(Mean(), FRAME)
    assert not capsys.readouterr().out


class OnlyFields(PemaBase):
    def process_data(self, chunk):
        self.rows = [*self.rows, len(chunk)]

    def update_results(self, other):
        self.rows += other.rows


class NeverReset(Mean):
    def has_converged(self):
        return False


class Started(Mean):
    """A single pass that begins as an iterative one does."""

    def initialize(self):
        self.column, self.chunks = "a", None

    def init_iteration(self):
        self.count, self.sum, self.chunks = 0, 0.0, []


class NeverStarted(OnlyFields):
    def __init__(self):
        self.rows = []


class Slotted(OnlyFields):
    __slots__ = ("seen",)


def test_a_single_pass_begins_with_init_iteration():
    assert pema_compute(Started(), FRAME) == 17.0


def test_defaults_of_the_base():
    algorithm = OnlyFields(rows=[], report_progress=0, trace_level=2)
    for _ in range(2):  # each time from the fields as they were given
        assert pema_compute(algorithm, FRAME) is algorithm
        assert algorithm.rows == [10, 10, 10, 5]
    assert algorithm.trace_level == 2
    pema_compute(algorithm, FRAME, max_iters=numpy.int64(1))
    assert type(algorithm.max_iters) is int
    with pytest.raises(NotImplementedError, match="process_data"):
        PemaBase().process_data(FRAME)
    with pytest.raises(NotImplementedError, match="update_results"):
        PemaBase().update_results(PemaBase())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"pema_obj": object()}, "derived from PemaBase"),
        ({"pema_obj": PemaBase()}, "PemaBase needs a method process_data"),
        ({"pema_obj": NeverReset()}, "needs init_iteration"),
        ({"pema_obj": NeverStarted()}, "__init__, so it needs initialize"),
        ({"pema_obj": Slotted(rows=[])}, "__slots__"),
        ({"key": 3}, "key must be the name of a column"),
        ({"data": [1, 2]}, "RxSqlServerData or a DataFrame, not list"),
        ({"data": None}, "not NoneType"),
        ({"colum": "a"}, r"Mean.initialize cannot be called with the fields \(colum\)"),
        ({"max_iters": 0}, "max_iters"),
        ({"out_data": FRAME}, "out_data must be an RxSqlServerData with a table"),
        ({"out_data": RxSqlServerData(table="t")}, "no connection_string"),
        ({"out_data": RxSqlServerData(table="t"), "pema_obj": Root()}, "single pass"),
        ({"append": "columns"}, "append"),
    ],
)
def test_wrong_arguments(arguments, told):
    with pytest.raises(ConfigurationError, match=told):
        pema_compute(**{"pema_obj": Mean(), "data": FRAME, **arguments})
