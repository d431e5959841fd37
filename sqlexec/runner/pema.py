"""What the server needs of parallel external memory algorithms (the rest: sqlexec/rx/pema.py)."""

import copy
from typing import Any, Dict, Tuple


class PemaBase:
    """Base of parallel external memory algorithms: classes that see their rows chunk by chunk.

    A class says how it starts, what it takes from a chunk, and how the objects of two workers
    become one; `pema_compute` runs it.  The data may be far larger than memory, and its chunks
    may be seen in several processes at once.

        initialize(**fields)                    parameters; sums at nothing
            init_iteration()                    iterative ones: sums at nothing again
                process_data(chunk)             in a worker, on an object of its own
                update_results(other)           here: fold a worker's object into this one
            process_results()                   the answer, from the sums
            has_converged()                     or once more from init_iteration

    A worker's object is a copy of this one as init_iteration leaves it; of a class without
    has_converged, which makes a single pass, as initialize and init_iteration leave it.  Whatever
    a method keeps on `self` travels between the processes: values that can be pickled, and better
    small ones.

    Parameters
    ----------
    **fields
        Fields for `initialize`, and the attributes below; those given to pema_compute go before.

    Attributes
    ----------
    iter : int
        Number of the pass over the data, from 1.
    max_iters : int, default 100
        The most passes of one pema_compute.
    report_progress : int, default 0
        1: pema_compute prints a line after each pass.
    trace_level : int, default 0
        For the methods of the class itself: how much they print.

    Example
    -------
    >>> class Mean(PemaBase):
    ...     def initialize(self, column):
    ...         self.column, self.count, self.sum = column, 0, 0.0
    ...
    ...     def process_data(self, chunk):
    ...         values = chunk[self.column].dropna()
    ...         self.count += len(values)
    ...         self.sum += values.sum()
    ...
    ...     def update_results(self, other):
    ...         self.count += other.count
    ...         self.sum += other.sum
    ...
    ...     def process_results(self):
    ...         return self.sum / self.count
    """

    __module__ = "sqlexec"  # its public name, by which pickles find it on either side
    iter = 0
    max_iters = 100
    report_progress = 0
    trace_level = 0
    _fields = {}  # type: Dict[str, Any]

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def initialize(self, **fields: Any) -> None:
        """Set parameters, and what process_data adds up to nothing; by default the fields."""
        vars(self).update(fields)

    def init_iteration(self) -> None:
        """Begin a pass over the data: an iterative algorithm sets its sums to nothing again."""

    def process_data(self, chunk: Any) -> Any:
        """Take what is needed from some rows, a pandas DataFrame of the method's own.

        Rows that it returns, a DataFrame too, go to the `out_data` of pema_compute.
        """
        raise NotImplementedError("a PemaBase needs a method process_data(self, chunk)")

    def update_results(self, other: Any) -> None:
        """Fold in the object of a worker that has seen other rows."""
        raise NotImplementedError("a PemaBase needs a method update_results(self, other)")

    def process_results(self) -> Any:
        """Give the answer, once a pass is folded; by default the object itself."""
        return self

    def has_converged(self) -> bool:
        """Say whether this pass was the last; by default one is enough."""
        return True


def process_rows(
    pema_obj: PemaBase, data: Any, rows_wanted: bool
) -> Tuple[int, Dict[str, Any], Any]:
    """Show a copy of the object one chunk: number of rows, the copy's fields, rows returned."""
    worker = copy.deepcopy(pema_obj)
    chunk = data.read() if hasattr(data, "read") else data
    count = len(chunk)
    returned = worker.process_data(chunk)
    return count, vars(worker), returned if rows_wanted else None
