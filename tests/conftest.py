"""Options and markers of the whole test suite."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("sqlexec", deadline=None)  # tests assert no times
settings.load_profile("sqlexec")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--server",
        default="embedded",
        help="what tests/integration runs against: embedded, container (SQL Server 2022), "
        "container:2019, or a connection string to a database that these tests may use",
    )
    parser.addoption(
        "--matrix",
        action="store_true",
        help="every Python as client with every Python as server, instead of some pairs",
    )
    parser.addoption(
        "--large", action="store_true", help="also tests that take gigabytes of memory"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "embedded_only: needs what only the embedded server offers (its processes)"
    )
    config.addinivalue_line(
        "markers", "seen_on(release, ...): has passed on these SQL Servers; no test has, so far"
    )
    config.addinivalue_line("markers", "large: takes gigabytes of memory; runs with --large alone")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # by nohup, or a shell's "&"
        signal.signal(signal.SIGINT, signal.default_int_handler)  # tests interrupt processes
    config.option.no_server = None  # else why there is none
    if hasattr(config, "workerinput"):  # a worker of pytest-xdist
        vars(config.option).update(config.workerinput["sqlexec"])
        return
    kind, _, release = config.getoption("--server").partition(":")
    if kind == "container" and not config.option.collectonly:
        _start_container(config, release or "2022")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker what server there is."""
    option = node.config.option
    node.workerinput["sqlexec"] = {"server": option.server, "no_server": option.no_server}


def _start_container(config: pytest.Config, release: str) -> None:
    """One container for all workers: its connection string takes the place of the option."""
    try:
        from tests.containers import RELEASES, MachineLearningContainer, why_not
    except ImportError as error:
        config.option.no_server = f"{error}; pip install 'sqlexec[dev]'"
        return
    if release not in RELEASES:
        raise pytest.UsageError(f"--server=container:{release}: one of {', '.join(RELEASES)}")
    config.option.no_server = why_not()
    if config.option.no_server is None:
        container = MachineLearningContainer(release)
        config.add_cleanup(container.stop)
        config.option.server = container.start().connection_string


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--large"):
        too_large = pytest.mark.skip(reason="takes gigabytes of memory: --large")
        for item in items:
            if item.get_closest_marker("large"):
                item.add_marker(too_large)
    if config.getoption("--server") == "embedded":
        return
    skip = pytest.mark.skip(reason="needs the embedded server: its processes, its settings")
    for item in items:
        if item.get_closest_marker("embedded_only"):
            item.add_marker(skip)
