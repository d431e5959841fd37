"""Logistic regression by iteratively reweighted least squares (Newton's method): a pass a step."""

import numpy as np
from pema.design import design_matrix, names, table

from sqlexec import PemaBase


class LogisticRegression(PemaBase):
    """logit P(response = 1) ~ 1 + numbers + levels; rows with a NULL are left out."""

    max_iters = 25

    def initialize(self, response, numbers=(), levels=None, tolerance=1e-10):
        self.response, self.numbers, self.levels = response, list(numbers), dict(levels or {})
        self.tolerance = tolerance
        self.coefficients = np.zeros(len(names(self.numbers, self.levels)))

    def init_iteration(self):
        width = len(self.coefficients)
        self.n, self.log_likelihood = 0, 0.0
        self.gradient, self.information = np.zeros(width), np.zeros((width, width))

    def process_data(self, chunk):
        chunk = chunk.dropna(subset=[self.response, *self.numbers, *self.levels])
        x = design_matrix(chunk, self.numbers, self.levels)
        y = np.asarray(chunk[self.response], dtype=float)
        linear = x @ self.coefficients
        p = 1 / (1 + np.exp(-linear))
        self.n += len(y)
        self.log_likelihood += y @ linear - np.logaddexp(0, linear).sum()
        self.gradient += x.T @ (y - p)
        self.information += (x.T * (p * (1 - p))) @ x

    def update_results(self, other):
        self.n += other.n
        self.log_likelihood += other.log_likelihood
        self.gradient += other.gradient
        self.information += other.information

    def process_results(self):
        """Coefficients with their standard errors, n, log-likelihood, passes."""
        self.step = np.linalg.solve(self.information, self.gradient)
        self.coefficients = self.coefficients + self.step
        covariance = np.linalg.inv(self.information)
        return {
            "n": self.n,
            "coefficients": table(self.numbers, self.levels, self.coefficients, covariance),
            "log_likelihood": self.log_likelihood,
            "passes": self.iter,
        }

    def has_converged(self):
        return np.abs(self.step).max() < self.tolerance
