"""k-means by Lloyd's algorithm: each pass moves the centres to the means of their rows."""

import numpy as np

from sqlexec import PemaBase


class KMeans(PemaBase):
    """Clusters of the rows by the squared distance of `columns`; rows with a NULL are left out.

    centers : a row for each cluster: where the centres begin
    tolerance : they have converged where none moves further in any column
    """

    max_iters = 300

    def initialize(self, columns, centers, tolerance=0.0):
        self.columns, self.centers = list(columns), np.array(centers, dtype=float)
        self.tolerance = tolerance

    def init_iteration(self):
        self.counts = np.zeros(len(self.centers), dtype=int)
        self.sums, self.inertia = np.zeros_like(self.centers), 0.0

    def process_data(self, chunk):
        points = np.asarray(chunk[self.columns].dropna(), dtype=float)
        distances = ((points[:, None, :] - self.centers) ** 2).sum(axis=2)
        nearest = distances.argmin(axis=1)
        self.inertia += distances.min(axis=1).sum()
        self.counts += np.bincount(nearest, minlength=len(self.centers))
        np.add.at(self.sums, nearest, points)

    def update_results(self, other):
        self.inertia += other.inertia
        self.counts += other.counts
        self.sums += other.sums

    def process_results(self):
        """Centres, the number of rows at each, the sum of squared distances, passes."""
        filled = self.counts > 0  # a centre without rows stays where it is
        means = self.centers.copy()
        means[filled] = self.sums[filled] / self.counts[filled, None]
        self.moved = float(np.abs(means - self.centers).max())
        self.centers = means
        return {
            "centers": means,
            "counts": self.counts,
            "inertia": self.inertia,
            "passes": self.iter,
        }

    def has_converged(self):
        return self.moved <= self.tolerance
