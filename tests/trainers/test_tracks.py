"""Tracks as data."""

from dataclasses import asdict
from pathlib import Path

import pytest

from schemas.records import TASKS
from trainers.errors import InvalidTrack
from trainers.tracks import load_track, load_tracks, track_of


def test_shipped_tracks_cover_all_tasks() -> None:
    """Each of the five tasks has a valid track of its own name."""
    tracks = load_tracks()
    assert tuple(tracks) == TASKS
    assert all(tracks[task].task == task for task in TASKS)


def test_a_track_survives_its_plain_form() -> None:
    """What still.json stores of a track reads back as the same track."""
    for track in load_tracks().values():
        plain = {**asdict(track), "target_modules": list(track.target_modules)}
        assert track_of(plain, "here") == track


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("rank = 0", "rank=0"),
        ('head = "generate"', "does not go with kind='encoder'"),
        ("epochs = 2.5", "epochs=2.5 is no int"),
        ("ranks = 3", "unknown keys ranks"),
        ("learning_rate = -1.0", "must be above 0"),
        ("replay_share = 1.5", "between 0 and 1"),
        ('metric = "f7"', "'f7'"),
        ("rank = ", "is no TOML"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    """A broken track says which file, key and value."""
    key = line.partition(" =")[0]
    good = {"task": '"intent"', "label_set": '"x"', "kind": '"encoder"', "head": '"classify"', "metric": '"accuracy"'}
    good |= {"margin": "0.01", "target_modules": '["query"]'}
    lines = [f"{name} = {value}" for name, value in good.items() if name != key]
    path = tmp_path / "intent.toml"
    path.write_text("\n".join([*lines, line]))
    with pytest.raises(InvalidTrack, match=r"intent\.toml") as caught:
        load_track("intent", tmp_path)
    assert complaint in str(caught.value)


def test_an_unknown_track_lists_the_known(tmp_path: Path) -> None:
    """A typo in a task's name is answered with the names there are."""
    with pytest.raises(InvalidTrack, match="known: none"):
        load_track("intents", tmp_path)
