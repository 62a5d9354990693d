"""One process per folder."""

import os
from pathlib import Path

import pytest

from still.embedded.errors import FolderHeldError
from still.embedded.lock import folder_lock, is_held


def test_the_second_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    """The message names the folder, the process and since when; the lock is free after the first has left."""
    with folder_lock(tmp_path, "x.lock"):
        assert is_held(tmp_path, "x.lock")
        with pytest.raises(FolderHeldError, match=rf"{tmp_path}.* process {os.getpid()} since 20"):
            folder_lock(tmp_path, "x.lock").__enter__()
    assert not is_held(tmp_path, "x.lock")
    with folder_lock(tmp_path, "x.lock"):
        pass


def test_a_file_alone_holds_nothing(tmp_path: Path) -> None:
    """What a killed process left behind is no lock."""
    (tmp_path / "x.lock").write_text('{"pid": 1, "since": "2020"}', encoding="utf-8")
    assert not is_held(tmp_path, "x.lock")
    with folder_lock(tmp_path, "x.lock"):
        assert is_held(tmp_path, "x.lock")
