"""Statistics of all flights, inside the server, with 100,000 of them in memory at a time.

    SQLEXEC_CONNECTION="Server=...;Database=RevoTestDB;..." python examples/pema_flights.py

The classes in examples/pema say what to take from some rows and how to put two results
together; `pema_compute` deals the table to processes of the server, two at a time.
"""

import os
from time import perf_counter

from pema.k_means import KMeans
from pema.linear_regression import LinearRegression
from pema.logistic_regression import LogisticRegression
from pema.mean_by_group import MeanByGroup
from rich.console import Console

from sqlexec import RxInSqlServer, RxSqlServerData, pema_compute

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
QUERY = """
SELECT CAST(ArrDelay AS float) AS ArrDelay, CRSDepTime, DayOfWeek, Carrier,
  CASE WHEN ArrDelay IS NULL THEN NULL WHEN ArrDelay > 15 THEN 1 ELSE 0 END AS Late
FROM dbo.airlinedemosmall
"""
flights = RxSqlServerData(sql_query=QUERY, rows_per_read=100_000)
cc = RxInSqlServer(os.environ["SQLEXEC_CONNECTION"], num_tasks=2)
console = Console(highlight=False, soft_wrap=True)


def compute(algorithm):
    started = perf_counter()
    answer = pema_compute(algorithm, flights, compute_context=cc)
    passes = "one pass" if algorithm.iter == 1 else f"{algorithm.iter} passes"
    name = type(algorithm).__name__
    console.print(f"[bold]{name}[/]: {passes}, {perf_counter() - started:.1f} s")
    return answer


def main():
    means = compute(MeanByGroup(column="ArrDelay", group="Carrier"))
    worst = means.sort_values("mean").iloc[-1]
    console.print(
        f"  {worst.name} is latest: {worst['mean']:.2f} min on average, "
        f"standard deviation {worst['variance'] ** 0.5:.1f}, {worst['n']:,.0f} flights"
    )
    terms = {"numbers": ["CRSDepTime"], "levels": {"DayOfWeek": DAYS}}
    linear = compute(LinearRegression(response="ArrDelay", **terms))
    slope, error = linear["coefficients"].loc["CRSDepTime"]
    console.print(
        f"  {slope:.3f} min later for each hour of the day (+- {error:.3f}), "
        f"R2 = {linear['r2']:.3f}, {linear['n']:,} flights"
    )
    logistic = compute(LogisticRegression(response="Late", **terms))
    slope, error = logistic["coefficients"].loc["CRSDepTime"]
    console.print(f"  log odds of more than 15 min: {slope:+.4f} for each hour (+- {error:.4f})")
    start = [[0, 12], [50, 15], [200, 18]]
    columns = ["ArrDelay", "CRSDepTime"]
    clusters = compute(KMeans(columns=columns, centers=start, tolerance=0.5))
    for (delay, hour), count in zip(clusters["centers"], clusters["counts"], strict=True):
        console.print(f"  {count:>7,} flights around {hour:4.1f} h, {delay:6.1f} min late")


if __name__ == "__main__":
    main()
