"""`import revoscalepy` inside a function, on a server that has none (and beside one that has).

Where a real one is installed it is loaded, and only the functions that must know our data source
are put before its own.  Where none is, a small module stands in; what it lacks says so.
"sqlexec" is the same module where the server has no sqlexec, so that code that says
`from sqlexec import rx_data_step` runs as well.
"""

import importlib.machinery
import types
from typing import Any, Callable, Dict, List, Optional

from sqlexec.runner.calls import call_beside, call_each, call_with
from sqlexec.runner.data_step import step_frame
from sqlexec.runner.pema import PemaBase, process_rows
from sqlexec.runner.types import Function


class RxSqlServerData:
    """A table or query as a data source.

    The one that was passed as an argument holds its rows already: the engine handed them to
    this process.  One that the function makes itself cannot be read here, since the process
    has no connection of its own.
    """

    def __init__(
        self,
        connection_string: Optional[str] = None,
        table: Optional[str] = None,
        sql_query: Optional[str] = None,
        **options: Any,
    ) -> None:
        self.table = table
        self.sql_query = sql_query
        self.options = options
        self._frame = None  # type: Any

    @classmethod
    def of_frame(cls, frame: Any, options: Dict[str, Any]) -> "RxSqlServerData":
        """The data source of rows that are here already."""
        source = cls(table=options.get("table"), sql_query=options.get("sql_query"))
        source.options = options
        source._frame = _as_declared(frame, options)
        return source

    def read(self) -> Any:
        """The rows as a DataFrame of the caller's own."""
        if self._frame is None:
            raise RuntimeError(
                "Inside SQL Server a function reads only the data source that it was given as an "
                "argument: its process has no connection of its own. Make the RxSqlServerData on "
                "the client and pass it in rx_exec(..., args={...})."
            )
        return _own_copy(self._frame)

    def head(self, n: int = 6) -> Any:
        """The first n rows."""
        return self.read().head(n)

    def tail(self, n: int = 6) -> Any:
        """The last n rows."""
        return self.read().tail(n)

    def __repr__(self) -> str:
        return "RxSqlServerData(%s)" % (self.table or self.sql_query)


def rx_data_step(input_data: Any = None, output_file: Any = None, **options: Any) -> Any:
    """Rows of a data source or DataFrame, selected and transformed, as a DataFrame.

    Takes vars_to_keep, vars_to_drop, row_selection, transforms, transform_objects,
    transform_function, transform_variables, start_row and number_rows_read
    (see `data_step.step_frame`); options that only tune reading are accepted.
    """
    if output_file is not None:
        raise NotImplementedError(
            "rx_data_step inside SQL Server returns a DataFrame; it cannot write to an "
            "output_file there. Return the rows from the function and write them on the client."
        )
    for name in _TUNING:
        options.pop(name, None)
    return step_frame(_frame_of(input_data), **options)


def rx_import(input_data: Any = None, output_file: Any = None, **options: Any) -> Any:
    """As rx_data_step, and with string_as_factors and column_info as RxSqlServerData has them."""
    declared = {}
    for name in ("string_as_factors", "column_info"):
        declared[name] = options.pop(name, None)
    return _as_declared(rx_data_step(input_data, output_file, **options), declared)


def rx_get_info(data: Any = None, get_var_info: bool = False, **options: Any) -> Dict[str, Any]:
    """Number of rows and columns, and with `get_var_info` the type and range of each column."""
    frame = _frame_of(data)
    info = {
        "num_rows": len(frame),
        "num_vars": len(frame.columns),
        "var_names": [str(name) for name in frame.columns],
    }  # type: Dict[str, Any]
    if get_var_info:
        info["var_info"] = rx_get_var_info(frame)
    return info


def rx_get_var_info(data: Any = None, **options: Any) -> Dict[str, Dict[str, Any]]:
    """Type of each column, with low and high of the numeric ones."""
    result = {}
    frame = _frame_of(data)
    for name in frame.columns:
        column = frame[name]
        entry = {"var_type": str(column.dtype)}  # type: Dict[str, Any]
        if column.dtype.kind in "iuf" and len(column):
            entry["low"], entry["high"] = column.min(), column.max()
        result[str(name)] = entry
    return result


def rx_get_var_names(data: Any = None, **options: Any) -> List[str]:
    """Names of the columns."""
    return [str(name) for name in _frame_of(data).columns]


def rx_exec(
    function: Function, args: Any = None, times_to_run: int = -1, **arguments: Any
) -> List[Any]:
    """Run a function here, one run after the other: inside the server there is nowhere else.

    `args` is a dict of named arguments, or a list of them for several runs.  Instead of it the
    arguments may be keywords, where a list makes a run of each element.  `times_to_run` repeats a
    single set.
    """
    arguments.pop("compute_context", None)
    lacking = _TUNING_OF_RX_EXEC.intersection(arguments)
    if lacking:
        raise NotImplementedError(
            "rx_exec inside SQL Server takes function, its arguments and times_to_run, not %s"
            % ", ".join(sorted(lacking))
        )
    if args is None:
        runs = _runs_of_keywords(arguments)
    elif arguments:
        raise TypeError("give the function's arguments either in args or as keywords, not both")
    else:
        runs = list(args) if isinstance(args, (list, tuple)) else [args]
    if len(runs) == 1 and times_to_run >= 0:
        runs = runs * times_to_run
    if times_to_run >= 0 and times_to_run != len(runs):
        raise ValueError("times_to_run is %d, not %d as the arguments" % (times_to_run, len(runs)))
    return [function(**run) for run in runs]


def _runs_of_keywords(arguments: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The arguments of each run, where a list has one for each."""
    lists = {name: value for name, value in arguments.items() if isinstance(value, list)}
    if not lists:
        return [arguments]
    if len(set(map(len, lists.values()))) > 1:
        raise ValueError("arguments with a value for each run must be of one length")
    return [dict(arguments, **dict(zip(lists, row))) for row in zip(*lists.values())]


_OURS = {
    "rx_data_step": rx_data_step,
    "rx_import": rx_import,
    "rx_get_info": rx_get_info,
    "rx_get_var_info": rx_get_var_info,
    "rx_get_var_names": rx_get_var_names,
}  # type: Dict[str, Function]
_ALIASES = dict(_OURS)  # type: Dict[str, Any]
_ALIASES.update(PemaBase=PemaBase, RxSqlServerData=RxSqlServerData, rx_exec=rx_exec)
_TUNING = (
    "append", "overwrite", "max_rows_by_cols", "rows_per_read", "blocks_per_read",
    "report_progress", "verbose", "xdf_compression_level", "compute_low_high",
)  # fmt: skip

_TUNING_OF_RX_EXEC = frozenset((
    "task_chunk_size", "local_state", "callback", "continue_on_failure", "console_output",
    "auto_cleanup", "packages_to_load", "seed", "task_timeout_seconds", "report", "progress",
    "debug",
))  # fmt: skip


def spec_of(name: str) -> Any:
    """The real module's spec with our loader around its own, or the stand-in's."""
    real = importlib.machinery.PathFinder.find_spec(name)
    if real is None:
        return importlib.machinery.ModuleSpec(name, _StandIn())  # type: ignore[arg-type]
    if real.loader is not None:
        real.loader = _Wrapping(real.loader)  # type: ignore[assignment]
    return real


class _StandIn:
    """Loader of the module that stands in."""

    def create_module(self, spec: Any) -> types.ModuleType:
        """An empty stand-in module."""
        return _Module(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill it."""
        module.__dict__.update(_ALIASES)
        module.__dict__["__path__"] = []  # from revoscalepy.functions import ... says what lacks


class _Module(types.ModuleType):
    """A module that says of what it lacks why it lacks it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            "%s.%s is not there: this server has no %s, and the small module that sqlexec puts in "
            "its place has only %s" % (self.__name__, name, self.__name__, ", ".join(_ALIASES))
        )


class _Wrapping:
    """Loader that runs the real one's loader, then puts our functions before its own."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: Any) -> Any:
        """As the real loader does it."""
        return self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        """Load the real module and wrap the functions that take a data source."""
        self._loader.exec_module(module)
        for name, ours in _OURS.items():
            theirs = getattr(module, name, None)
            if theirs is not None:
                setattr(module, name, _either(ours, theirs))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def _either(ours: Callable[..., Any], theirs: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is ours for our data source and theirs for all else."""

    def function(*args: Any, **options: Any) -> Any:
        data = args[0] if args else options.get("input_data", options.get("data"))
        return (ours if isinstance(data, RxSqlServerData) else theirs)(*args, **options)

    function.__name__ = getattr(theirs, "__name__", ours.__name__)
    function.__doc__ = theirs.__doc__
    return function


def source_of_frame(frame: Any, options: Dict[str, Any]) -> RxSqlServerData:
    """The data source of rows that are here already."""
    return RxSqlServerData.of_frame(frame, options)


def client_names() -> Dict[str, Any]:
    """What to take for names of the client's sqlexec that a pickled function refers to."""
    functions = (call_beside, call_each, call_with, process_rows)
    return dict(_ALIASES, **{function.__name__: function for function in functions})


def _frame_of(data: Any) -> Any:
    if isinstance(data, RxSqlServerData):
        return data.read()
    if hasattr(data, "iloc") and hasattr(data, "columns"):
        return data
    raise TypeError(
        "expected the data source that was passed to the function, or a DataFrame, got %s"
        % type(data).__name__
    )


def _own_copy(frame: Any) -> Any:
    """A frame that can be changed without changing the data source's; lazy where pandas can."""
    import pandas

    lazy = int(pandas.__version__.split(".")[0]) >= 3  # copy-on-write is pandas 3's only mode
    return frame.copy(deep=not lazy)


def _as_declared(frame: Any, options: Dict[str, Any]) -> Any:
    """Apply column_info and string_as_factors, as the data source asks for them."""
    columns = options.get("column_info") or {}
    for name, info in columns.items():
        if name not in frame.columns:
            raise KeyError("column_info names the column %r, which the query does not give" % name)
        kind = info.get("type")
        if kind == "factor" or info.get("levels") is not None:
            frame[name] = _factor(frame[name], info)
        elif kind in _TYPES:
            frame[name] = frame[name].astype(_TYPES[kind])
        elif kind is not None:
            raise ValueError("column_info of %r has the unknown type %r" % (name, kind))
    if options.get("string_as_factors"):
        import pandas

        for name in frame.columns:  # dates and bytes are objects, too
            kind = pandas.api.types.infer_dtype(frame[name].dropna(), skipna=True)
            if kind in ("string", "empty"):
                frame[name] = frame[name].astype("category")
    names = {name: info["newName"] for name, info in columns.items() if "newName" in info}
    return frame.rename(columns=names) if names else frame


def _factor(column: Any, info: Dict[str, Any]) -> Any:
    import pandas

    levels = info.get("levels")
    known = column if levels is None else column.where(column.isin(levels))
    factor = pandas.Categorical(known, categories=levels)
    new = info.get("newLevels")
    return factor.rename_categories(new) if new is not None else factor


_TYPES = {
    "bool": "bool",
    "integer": "int32",
    "int16": "int16",
    "uint16": "uint16",
    "float32": "float32",
    "numeric": "float64",
    "character": "object",
    "Date": "datetime64[ns]",
}
