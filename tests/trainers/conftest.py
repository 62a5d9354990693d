"""Shared fixtures of the learners' tests."""

from pathlib import Path

import pytest

from tests.trainers.tiny import make_bases
from trainers.bases.load import Bases


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    """Tiny random bases, loaded once."""
    folder: Path = tmp_path_factory.mktemp("bases")
    return make_bases(folder)
