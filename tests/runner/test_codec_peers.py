"""Values to other interpreters, with other numpy and pandas, and back."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.runner.codec_values import NEWER, NUMPY, PANDAS, PLAIN, assert_same
from tests.runner.peers import PEERS, Peer, PeerError, peer

WITH_PANDAS = [name for name, (_, requirements) in PEERS.items() if requirements]


@pytest.fixture
def other(request: pytest.FixtureRequest) -> Peer:
    return peer(request.param)


def back(other: Peer, values: dict[str, Any]) -> dict[str, str]:
    """What went wrong, by name."""
    wrong = {}
    for name, value in values.items():
        try:
            assert_same(other.back(value), value)
        except (Exception, AssertionError) as error:  # noqa: BLE001 - all are told at once
            wrong[name] = f"{type(error).__name__}: {str(error)[:500]}"
        else:
            if other.warnings:
                wrong[name] = f"warned: {other.warnings}"
    return wrong


@pytest.mark.parametrize("other", PEERS, indirect=True)
def test_plain_values_there_and_back(other: Peer) -> None:
    assert back(other, PLAIN) == {}


@pytest.mark.parametrize("other", WITH_PANDAS, indirect=True)
def test_numpy_there_and_back(other: Peer) -> None:
    assert back(other, NUMPY) == {}


@pytest.mark.parametrize("other", WITH_PANDAS, indirect=True)
def test_pandas_there_and_back(other: Peer) -> None:
    assert back(other, PANDAS) == {}
