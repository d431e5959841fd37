"""A client with models of statsmodels and scikit-learn: what became of each, as JSON.

python models_client.py < CONNECTION_STRING
{"to statsmodels": "same", "from sklearn": "UnpackError: ...", ...}
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy
import pandas
import statsmodels.api
from sklearn.linear_model import LinearRegression

from sqlexec import RxInSqlServer, rx_exec

ROWS = pandas.DataFrame({"one": 1.0, "x": [1.0, 2.0, 4.0, 5.0]})
SEEN = numpy.array([1.0, 2.0, 3.5, 5.5])


def fit(package: str) -> Any:
    if package == "sklearn":
        return LinearRegression().fit(ROWS, SEEN)
    return statsmodels.api.OLS(SEEN, ROWS).fit()


def predicted(model: Any) -> list[float]:
    return [float(each) for each in model.predict(ROWS)]


def became(task: Any) -> str:
    try:
        return "same" if numpy.allclose(task(), predicted(fit("sklearn"))) else "another"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def main() -> None:
    """Send models there, and fetch those that are made there."""
    cc = RxInSqlServer(sys.stdin.read())
    told = {}
    for package in ("statsmodels", "sklearn"):
        model = fit(package)
        told[f"to {package}"] = became(
            lambda model=model: rx_exec(predicted, args={"model": model}, compute_context=cc)[0]
        )
        told[f"from {package}"] = became(
            lambda package=package: predicted(
                rx_exec(fit, args={"package": package}, compute_context=cc)[0]
            )
        )
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
