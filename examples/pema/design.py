"""From rows to the matrix of a regression."""

import numpy as np
import pandas as pd


def design_matrix(chunk, numbers, levels):
    """Ones, the numeric columns, and a column of 0 and 1 for each level but the first.

    numbers : list of columns
    levels : dict of column -> its levels, which are the same in each chunk
    """
    columns = [np.ones(len(chunk))]
    columns += [np.asarray(chunk[name], dtype=float) for name in numbers]
    for name, values in levels.items():
        columns += [np.asarray(chunk[name] == value, dtype=float) for value in values[1:]]
    return np.column_stack(columns)


def names(numbers, levels):
    """Names of the matrix's columns."""
    return ["(intercept)", *numbers, *(each for values in levels.values() for each in values[1:])]


def table(numbers, levels, coefficients, covariance):
    """A frame with estimate and standard error of each coefficient."""
    columns = {"estimate": coefficients, "error": np.sqrt(np.diag(covariance))}
    return pd.DataFrame(columns, index=names(numbers, levels))
