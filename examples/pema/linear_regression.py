"""Least squares by the normal equations: one pass, whatever the number of rows."""

import numpy as np
from pema.design import design_matrix, names, table

from sqlexec import PemaBase


class LinearRegression(PemaBase):
    """response ~ 1 + numbers + levels; rows with a NULL are left out."""

    def initialize(self, response, numbers=(), levels=None):
        self.response, self.numbers, self.levels = response, list(numbers), dict(levels or {})
        width = len(names(self.numbers, self.levels))
        self.n, self.y, self.yy = 0, 0.0, 0.0
        self.xx, self.xy = np.zeros((width, width)), np.zeros(width)

    def process_data(self, chunk):
        chunk = chunk.dropna(subset=[self.response, *self.numbers, *self.levels])
        x = design_matrix(chunk, self.numbers, self.levels)
        y = np.asarray(chunk[self.response], dtype=float)
        self.n += len(y)
        self.y += y.sum()
        self.yy += y @ y
        self.xx += x.T @ x
        self.xy += x.T @ y

    def update_results(self, other):
        self.n += other.n
        self.y += other.y
        self.yy += other.yy
        self.xx += other.xx
        self.xy += other.xy

    def process_results(self):
        """Coefficients with their standard errors, n and R2."""
        coefficients = np.linalg.solve(self.xx, self.xy)
        residual = self.yy - coefficients @ self.xy
        covariance = residual / (self.n - len(coefficients)) * np.linalg.inv(self.xx)
        return {
            "n": self.n,
            "coefficients": table(self.numbers, self.levels, coefficients, covariance),
            "r2": 1 - residual / (self.yy - self.y**2 / self.n),
        }
