"""Mean and variance of a column in each group, by the pairwise update of Chan, Golub and LeVeque.

Each chunk gives, for each group, the number of values, their mean, and the sum of squares of
their deviations from that mean; two of these become one without cancellation.
"""

import pandas as pd

from sqlexec import PemaBase


class MeanByGroup(PemaBase):
    """Number, mean and variance of `column` for each value of `group`; NULLs are left out."""

    def initialize(self, column, group):
        self.column, self.group = column, group
        self.moments = pd.DataFrame(columns=["n", "mean", "squares"], dtype=float)

    def process_data(self, chunk):
        values = chunk.dropna(subset=[self.column, self.group]).groupby(self.group)[self.column]
        n = values.count()
        moments = pd.DataFrame({"n": n, "mean": values.mean(), "squares": values.var(ddof=0) * n})
        self.moments = merged(self.moments, moments)

    def update_results(self, other):
        self.moments = merged(self.moments, other.moments)

    def process_results(self):
        """A frame with a row for each group: n, mean, variance."""
        n, squares = self.moments["n"], self.moments["squares"]
        found = pd.DataFrame({"n": n.astype(int), "mean": self.moments["mean"]})
        found["variance"] = squares / (n - 1)
        return found.sort_index()


def merged(one, other):
    """The moments of both sets of values."""
    groups = one.index.union(other.index)
    one, other = (each.reindex(groups).fillna(0.0) for each in (one, other))
    n = one["n"] + other["n"]
    step = (other["mean"] - one["mean"]) * other["n"] / n
    squares = step * (other["mean"] - one["mean"]) * one["n"] + one["squares"] + other["squares"]
    return pd.DataFrame({"n": n, "mean": one["mean"] + step, "squares": squares})
