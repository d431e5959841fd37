"""The function of the stored samples; it travels to Pythons as old as 3.6."""

import sys
import warnings

FACTOR = 3
MODULES = "array collections datetime decimal fractions pathlib uuid numpy pandas scipy.sparse"


def console():
    """Write to both streams, and warn."""
    print("out \u00e4")
    print("err", file=sys.stderr)
    warnings.warn("careful", UserWarning, stacklevel=1)


def error():
    """Raise an exception that has a cause."""
    try:
        raise KeyError("first")
    except KeyError as first:
        raise ValueError("second", 2) from first


def labels(letters):
    """An index of text as objects, which every pandas has."""
    import pandas

    return pandas.Index(list(letters), dtype=object)


def evaluate(expression, given=None):
    """What an expression of the samples' table is."""
    names = {"FACTOR": FACTOR, "console": console, "error": error, "labels": labels, "given": given}
    for name in MODULES.split():
        if name in expression:
            names[name.partition(".")[0]] = __import__(name)
    return eval(expression, names)
