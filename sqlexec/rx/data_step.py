"""rx_data_step, rx_import and rx_get_info outside of the function, on this machine.

RxSqlServerData, DataFrame, .csv or .parquet -> DataFrame -> step_frame -> DataFrame
                                                          `-> RxSqlServerData, file
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlexec.contexts.active import located, rx_get_compute_context
from sqlexec.data.reading import import_pandas
from sqlexec.data.sources import RxSqlServerData
from sqlexec.data.writing import table_of, write_file, write_table
from sqlexec.errors import ConfigurationError
from sqlexec.public import public
from sqlexec.runner import revoscalepy as _server_side
from sqlexec.runner.data_step import step_frame

if TYPE_CHECKING:
    import pandas

    Input = RxSqlServerData | pandas.DataFrame | str | os.PathLike[str]
    Output = RxSqlServerData | str | os.PathLike[str]

# Options of revoscalepy that only tune reading, or its progress bar; nothing to tune here.
_TUNING = {
    "blocks_per_read",
    "compute_context",
    "max_rows_by_cols",
    "max_rows_by_columns",
    "report_progress",
    "rows_per_read",
    "transform_packages",
    "verbose",
    "xdf_compression_level",
}


@public
def rx_data_step(
    input_data: Input | None = None,
    output_file: Output | None = None,
    *,
    vars_to_keep: str | Sequence[str] | None = None,
    vars_to_drop: str | Sequence[str] | None = None,
    row_selection: str | Callable[[pandas.DataFrame], Any] | None = None,
    transforms: Mapping[str, Any] | None = None,
    transform_objects: Mapping[str, Any] | None = None,
    transform_function: Callable[..., Any] | None = None,
    transform_variables: str | Sequence[str] | None = None,
    append: str | bool | None = None,
    overwrite: bool = False,
    start_row: int = 1,
    number_rows_read: int = -1,
    **tuning: Any,
) -> Any:
    """Rows of a data source, selected and transformed: a DataFrame, or written to the output.

    Parameters
    ----------
    input_data : RxSqlServerData, DataFrame, or path of a .csv or .parquet file
    output_file : RxSqlServerData with a table, or path of a .csv or .parquet file, optional
    vars_to_keep, vars_to_drop : str or list of str, optional
        Columns of the result; only one of the two.
    row_selection : str or callable, optional
        An expression for `DataFrame.query`, or a function of the frame that gives a mask.
    transforms : dict, optional
        New columns: an expression for `DataFrame.eval`, or a function of the frame.
    transform_objects : dict, optional
        Names that expressions use as @name.
    transform_function : callable, optional
        Takes the frame (its `transform_variables`), returns a frame or a dict of columns.
    append : "none" or "rows", optional
        Add rows to an output that exists.
    overwrite : bool, default False
        Make an output that exists anew.
    start_row, number_rows_read : int
        First row, from 1, and how many; -1 for all.
    **tuning
        max_rows_by_cols, rows_per_read, report_progress, verbose and the like are accepted and
        have no effect: a result is never cut.

    Returns
    -------
    pandas.DataFrame, or the output where there is one

    Example
    -------
    >>> rx_data_step(RxSqlServerData(table="flights", connection_string="..."),
    ...              row_selection="ArrDelay > 60")   # doctest: +SKIP
    """
    options = {
        "vars_to_keep": vars_to_keep,
        "vars_to_drop": vars_to_drop,
        "row_selection": row_selection,
        "transforms": transforms,
        "transform_objects": transform_objects,
        "transform_function": transform_function,
        "transform_variables": transform_variables,
    }
    for name in ("remove_missings", "remove_missings_on_read"):
        if name in tuning:
            options[name] = tuning.pop(name)
    if unknown := tuning.keys() - _TUNING:
        raise TypeError(f"rx_data_step has no argument {', '.join(sorted(unknown))}")
    if append not in (None, False, True, "none", "rows"):
        raise ConfigurationError(f"append must be 'none' or 'rows', not {append!r}")
    if isinstance(output_file, RxSqlServerData):
        table_of(output_file)
        target = located(output_file, rx_get_compute_context())
    limit = None if number_rows_read < 0 else start_row - 1 + number_rows_read
    frame = step_frame(
        _frame_of(input_data, limit),
        start_row=start_row,
        number_rows_read=number_rows_read,
        **options,  # type: ignore[arg-type]
    )
    if output_file is None:
        return frame
    how = {"append": append in (True, "rows"), "overwrite": overwrite}
    if isinstance(output_file, RxSqlServerData):
        write_table(frame, target, **how)
    else:
        write_file(frame, Path(output_file), **how)
    return output_file


@public
def rx_import(
    input_data: Input | None = None, output_file: Output | None = None, **options: Any
) -> Any:
    """Rows of a data source as a DataFrame; takes what rx_data_step takes, and number_rows."""
    if "number_rows" in options:
        options["number_rows_read"] = options.pop("number_rows")
    return rx_data_step(input_data, output_file, **options)


@public
def rx_get_info(
    data: Input | None = None, get_var_info: bool = False, num_rows: int = 0, **options: Any
) -> dict[str, Any]:
    """Number of rows and columns and names of the columns, as a dict.

    Parameters
    ----------
    data : as of rx_data_step
    get_var_info : bool, default False
        Add `var_info`, see rx_get_var_info.
    num_rows : int, default 0
        Add `data`, the first so many rows.

    Example
    -------
    >>> rx_get_info(pandas.DataFrame({"a": [1, 2]}))["num_rows"]   # doctest: +SKIP
    2
    """
    frame = _frame_of(data)
    info = _server_side.rx_get_info(frame, get_var_info)
    if num_rows > 0:
        info["data"] = frame.head(num_rows)
    return info


@public
def rx_get_var_info(data: Input | None = None, **options: Any) -> dict[str, dict[str, Any]]:
    """Type of each column, with low and high of the numeric ones."""
    return _server_side.rx_get_var_info(_frame_of(data))


@public
def rx_get_var_names(data: Input | None = None, **options: Any) -> list[str]:
    """Names of the columns; of a data source only its first row is fetched."""
    return _server_side.rx_get_var_names(_frame_of(data, 1))


def _frame_of(data: Any, rows: int | None = None) -> Any:
    pandas = import_pandas()
    if isinstance(data, RxSqlServerData):
        source = located(data, rx_get_compute_context())
        return source.read() if rows is None else source.head(rows)
    if isinstance(data, _server_side.RxSqlServerData):  # of a run in a local process
        return data.read()
    if isinstance(data, pandas.DataFrame):
        return data
    if isinstance(data, (str, os.PathLike)):
        path = Path(data)
        if path.suffix.lower() == ".parquet":
            return pandas.read_parquet(path)
        if path.suffix.lower() == ".csv":
            return pandas.read_csv(path, nrows=rows)
    raise ConfigurationError(
        "input_data must be an RxSqlServerData, a DataFrame or the path of a .csv or .parquet "
        f"file, not {data if isinstance(data, str) else type(data).__name__!r}"
    )
