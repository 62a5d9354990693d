"""The summary compares each version with the floor of its own run, on the demo's own tracks."""

from dataclasses import replace

from schemas.records import Metric, ModelEvent, ModelEventKind
from still.demo.report import learned
from tests.adapters import event


def _version(
    number: int, kind: ModelEventKind, run: str, before: tuple[str, float], label_set: str = "shop"
) -> ModelEvent:
    figures = (
        Metric("accuracy", "candidate", "benchmark:1", 0.9, 0.8, 1.0, 50),
        Metric("accuracy", before[0], "benchmark:1", before[1], 0.0, 1.0, 50),
    )
    made = event(f"intent-{number:05d}-00000000", kind, at=number)
    return replace(made, run_id=run, label_set=label_set, metrics=figures)


def test_before_is_of_the_same_run() -> None:
    """A later run that promoted nothing does not lend its champion's figure as what was before the first."""
    events = [
        _version(1, "promoted", "one", ("probe", 0.5)),
        _version(2, "evaluated", "two", ("champion", 0.9)),
    ]
    found = learned(events, {"intent": "shop"})["intent"]
    assert found.event.number == 1
    assert found.before is not None
    assert found.before.value == 0.5


def test_other_label_sets_are_other_tracks() -> None:
    """What a user trained beside the demo does not stand in its summary."""
    other = _version(2, "promoted", "two", ("probe", 0.1), "banking77")
    assert learned([other], {"intent": "shop"}) == {}
