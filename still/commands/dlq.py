"""`still dlq`: dead letters out of their own topic: list them, show one whole, send their records back."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from schemas.errors import SchemaError
from still import kafka, schema_ids
from still.capture import open_producer, reported
from still.errors import UserError
from still.letters import told, told_whole
from still.output import console
from still.security import kafka_options
from still.settings import Settings, load
from streams.errors import ImportFault
from streams.list_letters import Filed, Listing, Wanted, fill, find_letters, list_letters
from streams.read_log import LogReader
from streams.replay_letters import Sent, repaired, replay, replayed

Stage = Annotated[str | None, typer.Option(help="Only of this stage: assemble, distill, sink")]
Reason = Annotated[str | None, typer.Option(help="Only with this reason")]
Since = Annotated[str | None, typer.Option(help="Only written since: 30m, 12h, 7d, or an ISO time (UTC)")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]

_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Dead letters: records that a stage could not take.", no_args_is_help=True)
    group.command("list")(list_)
    group.command("show")(show)
    group.command("replay")(replay_)
    app.add_typer(group, name="dlq")


def list_(
    stage: Stage = None,
    reason: Reason = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(help="How many of the newest to show", min=0)] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest dead letters, and count all by stage and reason."""
    settings = load()
    wanted = Wanted((), stage, reason, _since(since))
    with reported(), _reader(settings) as reader:
        listing = list_letters(reader, settings.topic_prefix, wanted, limit)
    if as_json:
        typer.echo(orjson.dumps(_plain(listing)).decode())
    else:
        _print(listing)


def show(id_: Annotated[str, typer.Argument(metavar="ID", help="A letter's id or its beginning")],
         as_json: AsJson = False) -> None:  # fmt: skip
    """Show one dead letter whole, with the record as it came: it may hold personal data."""
    settings, wanted = load(), Wanted((_id(id_),))
    with reported(), _reader(settings) as reader:
        found = find_letters(reader, settings.topic_prefix, wanted)
        (letter,) = fill(reader, settings.topic_prefix, found)
    whole = told_whole(letter)
    if as_json:
        typer.echo(orjson.dumps(whole).decode())
        return
    typer.echo("This is the record as it was published: it may hold personal data.", err=True)
    value = whole.pop("value")
    for name, held in whole.items():
        typer.echo(f"{name:<15} {held if not isinstance(held, dict) else orjson.dumps(held).decode()}")
    typer.echo("value           " + (value if isinstance(value, str) else orjson.dumps(value).decode()))


def replay_(  # noqa: PLR0913, PLR0917 - one parameter for each option
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Letters by id or its beginning")] = None,
    stage: Stage = None,
    reason: Reason = None,
    since: Since = None,
    value: Annotated[Path | None, typer.Option(help="Send this file (JSON or wire format) for the one ID")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; send nothing")] = False,
    as_json: AsJson = False,
) -> None:
    """Send the records of dead letters back to their topics; each once, however often this is called.

    Exit status 1 if any could not be sent.
    """
    wanted = _chosen(ids or [], stage, reason, _since(since), value)
    settings = load()
    with reported(), _reader(settings) as reader:
        found = find_letters(reader, settings.topic_prefix, wanted)
        record = None if value is None else _repaired(found[0], value)
        before = replayed(reader, settings.topic_prefix, found) if found else set()
        left = [filed for filed in found if filed.letter.dead_letter_id not in before]
        sent = [] if dry_run else _send(settings, reader, left, record)
    _report(left, sent, len(before), dry_run=dry_run, as_json=as_json)


def _reader(settings: Settings) -> LogReader:
    kafka.reach(settings)
    schema_ids.bind(settings)
    return LogReader(kafka.servers(settings), kafka_options(settings))


def _send(settings: Settings, reader: LogReader, letters: list[Filed], value: bytes | None) -> list[Sent]:
    if not letters:
        return []
    with open_producer(settings) as producer:
        return list(replay(reader, producer, settings.topic_prefix, letters, value))


def _chosen(ids: list[str], stage: str | None, reason: str | None, since_us: int | None, value: Path | None) -> Wanted:
    if not ids and stage is None and reason is None:
        raise UserError("name letters by id, or choose them by --stage or --reason; `still dlq list` shows them")
    if value is not None and len(ids) != 1:
        raise UserError(f"--value {value} repairs one letter, {len(ids)} ids are given; name exactly one")
    return Wanted(tuple(_id(id_) for id_ in ids), stage, reason, since_us)


def _id(text: str) -> str:
    if len(text) < 4 or not set(text) <= set("0123456789abcdef"):
        raise UserError(f"{text!r} is no letter's id, nor the first 4 or more of its hex digits; see `still dlq list`")
    return text


def _repaired(filed: Filed, file: Path) -> bytes:
    try:
        return repaired(filed.letter, str(file), file.read_bytes())
    except OSError as error:
        raise UserError(f"--value {file} cannot be read: {error.strerror}") from None
    except ImportFault as fault:
        raise UserError(f"--value {fault}") from None
    except SchemaError as error:
        raise UserError(f"--value {file}: {error}") from None


def _since(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        if found := _AGO.fullmatch(text):
            time = datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
        else:
            time = datetime.fromisoformat(text)
            time = time if time.tzinfo else time.replace(tzinfo=UTC)
        return int(time.timestamp() * 1e6)
    except (ValueError, OverflowError):
        raise UserError(f"--since {text!r} is neither like 30m, 12h or 7d, nor an ISO time; mend it") from None


def _plain(listing: Listing) -> dict[str, Any]:
    return {
        "letters": [told(filed) for filed in listing.newest],
        "counts": [
            {"stage": stage, "reason": reason, "letters": n} for (stage, reason), n in listing.counts.most_common()
        ],
        "unreadable": listing.unreadable,
    }


def _print(listing: Listing) -> None:
    table = Table("id", "written", "stage", "reason", "attempt", "from", "detail", box=None)
    for one in map(told, listing.newest):
        place = f"{one['topic']}[{one['partition']}] {one['offset']}"
        detail = one["detail"][:60]
        table.add_row(one["dead_letter_id"][:12], one["logged_at"], one["stage"], one["reason"], str(one["attempt"]),
                      place, detail)  # fmt: skip
    if listing.newest:
        console().print(table)
    for (stage, reason), n in listing.counts.most_common():
        typer.echo(f"{n:>8} {stage}: {reason}")
    total = sum(listing.counts.values())
    typer.echo(f"{total:>8} dead letters" + (f", {listing.unreadable} unreadable" if listing.unreadable else ""))


def _report(left: list[Filed], sent: list[Sent], before: int, *, dry_run: bool, as_json: bool) -> None:
    done = [one for one in sent if one.delivered is not None]
    faults = [one for one in sent if one.fault is not None]
    for one in faults:
        typer.echo(f"error: letter {one.letter[:12]}: {one.fault}", err=True)
    topics = Counter(filed.letter.topic for filed in left)
    plain = {"replayed": len(done), "would_replay": len(left) if dry_run else None, "replayed_before": before,
             "faults": [f"{one.letter}: {one.fault}" for one in faults], "topics": dict(topics)}  # fmt: skip
    if as_json:
        typer.echo(orjson.dumps(plain).decode())
    else:
        to = ", ".join(f"{n} to {topic}" for topic, n in topics.items()) or "none"
        said = f"would replay {len(left)} letters ({to})" if dry_run else f"replayed {len(done)} letters ({to})"
        typer.echo(f"{said}, {before} were replayed before, {len(faults)} faults")
    raise typer.Exit(1 if faults else 0)
