"""Options and markers of the whole test suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--server",
        default="embedded",
        help="what tests/integration runs against: embedded, container, or a connection string "
        "to a database that these tests may use",
    )
    parser.addoption(
        "--matrix",
        action="store_true",
        help="every Python as client with every Python as server, instead of some pairs",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "embedded_only: needs what only the embedded server offers (its processes)"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--server") == "embedded":
        return
    skip = pytest.mark.skip(reason="needs the embedded server: its processes, its settings")
    for item in items:
        if item.get_closest_marker("embedded_only"):
            item.add_marker(skip)
