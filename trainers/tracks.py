"""Tracks as data: how one task is trained, read from `tracks/<task>.toml` and checked at birth.

Nothing here trains; a new label space, base or rank is another file, never another code path.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from schemas.records import TASKS, Head, Task
from trainers.errors import InvalidTrack

FOLDER = Path(__file__).parent / "tracks"

BaseKind = Literal["encoder", "decoder"]
MetricName = Literal[
    "accuracy", "tool_name_accuracy", "tool_call_accuracy", "macro_f1", "span_f1", "label_f1", "token_loss"
]

_HEADS_OF: dict[BaseKind, tuple[Head, ...]] = {"encoder": ("classify", "tag"), "decoder": ("generate",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """How one task is trained.

    `last_layers` None adapts every layer; `turns` counts the last messages that the text renders; `margin` is the
    smallest difference in the metric that matters; `min_quality` admits examples; `min_fresh` and `max_age_s` start
    a run; `base` None takes the settings' default of the kind.
    """

    task: Task
    label_set: str
    kind: BaseKind
    head: Head
    metric: MetricName
    margin: float
    target_modules: tuple[str, ...]
    base: str | None = None
    rank: int = 16
    alpha: int = 32
    last_layers: int | None = None
    max_tokens: int = 128
    turns: int = 1
    epochs: int = 5
    patience: int = 2
    learning_rate: float = 1e-3
    batch_size: int = 32
    seed: int = 7
    multi_label: bool = False
    max_items: int = 20_000
    min_quality: float = 0.6
    min_fresh: int = 200
    max_age_s: int = 86_400
    replay_share: float = 0.3
    max_rounds: int = 5
    min_paired: int = 50

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise InvalidTrack(f"task={self.task!r} is not one of {', '.join(TASKS)}")
        if self.head not in _HEADS_OF.get(self.kind, ()):
            raise InvalidTrack(f"head={self.head!r} does not go with kind={self.kind!r}; allowed: {_HEADS_OF}")
        if self.metric not in get_args(MetricName):
            raise InvalidTrack(f"metric={self.metric!r} is not one of {', '.join(get_args(MetricName))}")
        for name in ("rank", "alpha", "max_tokens", "turns", "epochs", "batch_size", "max_items", "min_fresh"):
            if getattr(self, name) < 1:
                raise InvalidTrack(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("learning_rate", "margin"):
            if not getattr(self, name) > 0:
                raise InvalidTrack(f"{name}={getattr(self, name)} must be above 0")
        for name in ("replay_share", "min_quality"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidTrack(f"{name}={getattr(self, name)} must lie between 0 and 1")


def load_track(task: str, folder: Path | None = None) -> Track:
    """The track of a task, from `<folder>/<task>.toml` (default: the shipped ones).

    Raises:
        InvalidTrack: no such file, no TOML, or a wrong value.
    """
    path = (folder or FOLDER) / f"{task}.toml"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.toml"))) or "none"
        raise InvalidTrack(f"no track {task!r} in {path.parent}; known: {known}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidTrack(f"{path} is no TOML: {error}") from error
    return track_of(raw, path)


def load_tracks(folder: Path | None = None) -> dict[Task, Track]:
    """All five tracks by task."""
    return {task: load_track(task, folder) for task in TASKS}


def track_of(raw: dict[str, Any], path: Path | str) -> Track:
    """The track in a plain mapping; `path` leads the message of an error.

    Raises:
        InvalidTrack: unknown or missing keys, or a wrong value.
    """
    known = {field.name for field in fields(Track)}
    if unknown := sorted(raw.keys() - known):
        raise InvalidTrack(f"{path} has unknown keys {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    hints = get_type_hints(Track)
    try:
        return Track(**{key: _typed(key, value, hints[key]) for key, value in raw.items()})
    except TypeError as error:
        raise InvalidTrack(f"{path}: {error}") from error
    except InvalidTrack as error:
        raise InvalidTrack(f"{path}: {error}") from error


def _typed(key: str, value: Any, hint: Any) -> Any:
    """TOML has arrays and whole floats where a Track has tuples and floats; any other difference is an error."""
    if hint == tuple[str, ...]:
        return tuple(str(item) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if value is None and hint in (int | None, str | None):
        return None
    scalars = [kind for kind in (bool, int, float, str) if hint in (kind, kind | None)]
    if scalars and type(value) is not scalars[0]:
        raise InvalidTrack(f"{key}={value!r} is no {scalars[0].__name__}")
    return value
