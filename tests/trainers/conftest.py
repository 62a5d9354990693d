"""Shared fixtures of the learners' tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.trainers.tiny import make_bases
from trainers.bases.load import Bases


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    """Tiny random bases, loaded once."""
    folder: Path = tmp_path_factory.mktemp("bases")
    return make_bases(folder)


@pytest.fixture(autouse=True)
def _denormal_numbers() -> Iterator[None]:
    """Loading a base flushes denormal numbers process-wide, and Hypothesis needs them to make its floats."""
    yield
    torch.set_flush_denormal(False)
