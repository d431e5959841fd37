"""rx_data_step on a DataFrame, the same inside the server and outside of it.

frame -> rows (start_row, number_rows_read) -> row_selection -> transforms
      -> transform_function -> columns (vars_to_keep, vars_to_drop)
"""

from typing import Any, Callable, Dict, List, Optional, Union

from sqlexec.runner.types import Names


def step_frame(
    frame: Any,
    vars_to_keep: Names = None,
    vars_to_drop: Names = None,
    row_selection: Union[None, str, Callable[[Any], Any]] = None,
    transforms: Optional[Dict[str, Any]] = None,
    transform_objects: Optional[Dict[str, Any]] = None,
    transform_function: Optional[Callable[..., Any]] = None,
    transform_variables: Names = None,
    remove_missings_on_read: bool = False,
    remove_missings: bool = False,
    start_row: int = 1,
    number_rows_read: int = -1,
) -> Any:
    """Select rows and columns of a DataFrame and compute new ones; the frame itself stays.

    Parameters
    ----------
    frame : pandas.DataFrame
    vars_to_keep, vars_to_drop : str or list of str, optional
        Columns of the result; only one of the two.
    row_selection : str or callable, optional
        An expression for `DataFrame.query`, or a function of the frame that gives a boolean mask.
    transforms : dict of column name -> str or callable, optional
        New columns: an expression for `DataFrame.eval`, or a function of the frame.
    transform_objects : dict, optional
        Names that expressions may use as @name.
    transform_function : callable, optional
        Takes the frame (or its `transform_variables`), returns a frame or a dict of columns.
    remove_missings_on_read, remove_missings : bool
        Leave out rows with a missing value: of the data as read, or of the result.
    start_row : int
        First row to take, from 1.
    number_rows_read : int
        How many rows to take; -1 for all.

    Raises
    ------
    KeyError
        A column that is not there.
    ValueError
        Both vars_to_keep and vars_to_drop, or a start_row below 1.
    """
    if vars_to_keep is not None and vars_to_drop is not None:
        raise ValueError("vars_to_keep and vars_to_drop exclude each other: give one of them")
    if start_row < 1:
        raise ValueError("start_row counts from 1, got %r" % (start_row,))
    if start_row > 1 or number_rows_read >= 0:
        end = None if number_rows_read < 0 else start_row - 1 + number_rows_read
        frame = frame.iloc[start_row - 1 : end].reset_index(drop=True)
    if remove_missings_on_read:
        frame = frame.dropna().reset_index(drop=True)
    scope = dict(transform_objects or {})
    if row_selection is not None:
        if callable(row_selection):
            frame = frame[row_selection(frame)]
        else:
            frame = frame.query(row_selection, local_dict=scope)
        frame = frame.reset_index(drop=True)
    if transforms:
        columns = {}
        for name, rule in transforms.items():
            columns[name] = rule(frame) if callable(rule) else frame.eval(rule, local_dict=scope)
        frame = frame.assign(**columns)
    if transform_function is not None:
        frame = _transformed(frame, transform_function, _names(transform_variables))
    frame = _columns(frame, _names(vars_to_keep), _names(vars_to_drop))
    return frame.dropna().reset_index(drop=True) if remove_missings else frame


def _transformed(frame: Any, function: Callable[..., Any], names: Optional[List[str]]) -> Any:
    _require(frame, names or [])
    result = function(frame.copy() if names is None else frame[names].copy())
    if isinstance(result, dict):
        return frame.assign(**result)
    if type(result) is not type(frame):
        raise TypeError(
            "transform_function must return a DataFrame or a dict of columns, not %s"
            % type(result).__name__
        )
    return result


def _columns(frame: Any, keep: Optional[List[str]], drop: Optional[List[str]]) -> Any:
    if keep is not None:
        _require(frame, keep)
        return frame[keep]
    if drop is not None:
        _require(frame, drop)
        return frame.drop(columns=drop)
    return frame


def _names(names: Names) -> Optional[List[str]]:
    if names is None:
        return None
    return [names] if isinstance(names, str) else list(names)


def _require(frame: Any, names: List[str]) -> None:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise KeyError(
            "the data has no column %s; it has %s"
            % (", ".join(map(repr, missing)), ", ".join(map(repr, list(frame.columns))))
        )
