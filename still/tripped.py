"""What a process remembers of the ceiling that it reached: a note in the folder, so that no restart undoes the stop.

Whatever starts it again (`still up`, Compose, systemd, Kubernetes), it ends at once and says why, as long as it is the
same version with the same limits and nobody has said `still resume`.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
import structlog

from still.errors import Tripped
from still.settings import Settings

log = structlog.get_logger(__name__)

_NAME = "tripped-{}.json"


def remember(settings: Settings, process: str, reason: str) -> None:
    """Note that `process` reached its ceiling; where that cannot be written its exit status alone tells."""
    file = settings.folder / _NAME.format(process)
    note = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "reason": reason, "of": _which(settings)}
    part = file.with_suffix(".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(orjson.dumps(note, option=orjson.OPT_INDENT_2))
        part.replace(file)
    except OSError as error:
        # The stop itself must not fail: it keeps the records in the log.
        log.error("stop_not_remembered", file=str(file), reason=str(error))  # noqa: TRY400, no traceback


def stay_stopped(settings: Settings, process: str) -> None:
    """See, before `process` does anything, that it did not reach its ceiling; a note of another version is removed.

    Raises:
        Tripped: it did, as this very version with these very limits.
    """
    file = settings.folder / _NAME.format(process)
    if (note := _read(file)) is None:
        return
    if note["of"] == _which(settings):
        raise Tripped(f"the {process} stopped at {note['at']} and stays so: {note['reason']}")
    log.warning("stop_forgotten", file=str(file), of=note["of"], now=_which(settings), reason=note["reason"])
    file.unlink(missing_ok=True)


def forget(folder: Path) -> list[Path]:
    """Remove the notes of every process of this folder; which there were."""
    files = sorted(folder.glob(_NAME.format("*")))
    for file in files:
        file.unlink(missing_ok=True)
    return files


def _which(settings: Settings) -> dict[str, Any]:
    """What must differ for another outcome to be likely."""
    return {"version": version("stillstream"), "limits": asdict(settings.limits)}


def _read(file: Path) -> dict[str, Any] | None:
    try:
        note: dict[str, Any] = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except orjson.JSONDecodeError:
        raise Tripped(
            f"{file} says that a ceiling was reached, and no more; see `still dlq list`, then `still resume`"
        ) from None
    return note
