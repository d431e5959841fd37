"""One linear regression a carrier, inside the server, two processes at a time.

    SQLEXEC_CONNECTION="Server=...;Database=RevoTestDB;..." python examples/delays_by_carrier.py

ArrDelay ~ CRSDepTime + DayOfWeek by least squares.  Each task has its own query, whose rows go
from the engine straight into the task's process; what comes back is one small dict a carrier.
"""

import os
from itertools import accumulate

import pyodbc
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from sqlexec import RxInSqlServer, RxSqlServerData, rx_exec

connection_string = os.environ["SQLEXEC_CONNECTION"]
console = Console()


def fit(carrier, flights):
    """The regression; runs in a Python process of the server."""
    import os
    import time

    import numpy as np
    import pandas as pd
    from revoscalepy import rx_data_step

    started = time.time()
    frame = rx_data_step(flights).dropna()
    days = pd.get_dummies(frame["DayOfWeek"], dtype=float)
    others = days.drop(columns="Monday", errors="ignore")  # delays relative to Monday's
    x = np.column_stack([np.ones(len(frame)), frame["CRSDepTime"], others])
    y = frame["ArrDelay"].to_numpy(dtype=float)
    coefficients, _, _, _ = np.linalg.lstsq(x, y, rcond=None)
    residuals = y - x @ coefficients
    r2 = 1 - residuals @ residuals / ((y - y.mean()) @ (y - y.mean()))
    print(f"{carrier}: {len(frame):>6,} flights, R2 = {r2:.3f}, process {os.getpid()}")
    return {
        "carrier": carrier,
        "n": len(frame),
        "intercept": coefficients[0],
        "slope": coefficients[1],
        "worst_day": frame.groupby("DayOfWeek")["ArrDelay"].mean().idxmax(),
        "r2": r2,
        "process": os.getpid(),
        "interval": (started, time.time()),
    }


def carriers():
    """Carriers, those with most flights first, so that the long tasks do not come last."""
    with pyodbc.connect(connection_string) as connection:
        rows = connection.execute(
            "SELECT Carrier, COUNT(*) AS flights FROM dbo.airlinedemosmall "
            "GROUP BY Carrier ORDER BY flights DESC"
        ).fetchall()
    return [row.Carrier for row in rows]


def arguments(carrier):
    query = (
        "SELECT ArrDelay, CRSDepTime, DayOfWeek FROM dbo.airlinedemosmall "
        f"WHERE Carrier = '{carrier}'"
    )
    flights = RxSqlServerData(sql_query=query, connection_string=connection_string)
    return {"carrier": carrier, "flights": flights}


def table_of(fits):
    table = Table(title="ArrDelay ~ CRSDepTime + DayOfWeek, by carrier")
    table.add_column("carrier")
    for heading in ("flights", "intercept (min)", "slope (min/hour)", "worst day", "R2"):
        table.add_column(heading, justify="right")
    for fit in fits:
        row = f"{fit['n']:,}|{fit['intercept']:.2f}|{fit['slope']:.2f}|{fit['worst_day']}"
        table.add_row(fit["carrier"], *row.split("|"), f"{fit['r2']:.3f}")
    return table


def most_at_once(intervals):
    """The largest number of intervals that have a moment in common."""
    edges = sorted(
        [(start, 1) for start, _ in intervals] + [(end, -1) for _, end in intervals],
        key=lambda edge: (edge[0], edge[1]),
    )
    return max(accumulate(step for _, step in edges))


def main():
    cc = RxInSqlServer(connection_string=connection_string, num_tasks=2, console_output=True)
    runs = [arguments(carrier) for carrier in carriers()]
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("regressions", total=len(runs))
        fits = rx_exec(fit, args=runs, compute_context=cc, callback=lambda _: progress.advance(bar))
    console.print(table_of(fits))
    processes = {fit["process"] for fit in fits}
    at_once = most_at_once([fit["interval"] for fit in fits])
    flights = sum(fit["n"] for fit in fits)
    console.print(
        f"{flights:,} flights, {len(fits)} tasks in {len(processes)} processes of the server, "
        f"at most {at_once} at once."
    )


if __name__ == "__main__":
    main()
