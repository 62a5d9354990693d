"""`still simulate`: customers of a fictional shop, published as traffic, written as JSONL, or as a benchmark."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TextIO, TypeVar

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from schemas.codec import to_json
from schemas.records import ConversationEvent
from still import kafka, schema_ids
from still.errors import UserError
from still.settings import load
from streams.bulk import publish_each
from streams.errors import ProduceError
from streams.publisher import Publisher
from streams.simulate.benchmark import ground_truth
from streams.simulate.errors import BadSettings
from streams.simulate.settings import SimulateSettings
from streams.simulate.simulate import simulate as events

Event = TypeVar("Event")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(simulate)


def simulate(  # noqa: PLR0913, PLR0917 - one parameter for each option
    conversations: Annotated[int, typer.Option("--conversations", "-n", help="How many contacts")] = 100,
    rate: Annotated[float | None, typer.Option(help="Events a second; unset = as fast as it goes", min=0.001)] = None,
    seed: Annotated[int, typer.Option(help="Equal seed and start make equal events")] = 1,
    whole: Annotated[bool, typer.Option("--whole", help="One event for a contact instead of one for a turn")] = False,
    languages: Annotated[str, typer.Option(help="Of en, de, es; the first is the home market's")] = "en",
    start: Annotated[datetime | None, typer.Option(help="When the first contact begins, UTC; unset = today")] = None,
    out: Annotated[str | None, typer.Option(help="Write JSONL to this file (- = output) and publish nothing")] = None,
    benchmark: Annotated[str | None, typer.Option(help="Write labelled ground truth to this file (- = output)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON")] = False,
) -> None:
    """Let customers of Lantern & Loom, a fictional web shop, talk to its assistant."""
    if out is not None and benchmark is not None:
        raise UserError("--out and --benchmark write different things; give one of them")
    settings = _settings(conversations, start, languages, whole=whole)
    if benchmark is not None:
        written = _write_benchmark(settings, seed, benchmark)
    elif out is not None:
        written = _write_events(settings, seed, out)
    else:
        written = _publish(settings, seed, rate)
    _summarise(written, as_json=as_json, to_errors="-" in (out, benchmark))


def _settings(conversations: int, start: datetime | None, languages: str, *, whole: bool) -> SimulateSettings:
    begin = start.replace(tzinfo=UTC) if start else datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    codes = tuple(code.strip() for code in languages.split(",") if code.strip())
    try:
        return SimulateSettings(
            start_us=int(begin.timestamp()) * 10**6, conversations=conversations, languages=codes, whole=whole
        )
    except BadSettings as error:
        raise UserError(str(error)) from None


def _publish(settings: SimulateSettings, seed: int, rate: float | None) -> dict[str, int]:
    """Send the events and wait for every confirmation."""
    place = load()
    shown = _paced(_progress(events(settings, seed), settings.conversations, _begins), rate)
    confirmed = 0
    try:
        kafka.reach(place)
        schema_ids.bind(place)
        with Publisher(kafka.produce_settings(place), topic_prefix=place.topic_prefix) as publisher:
            for _ in publish_each(publisher, shown):
                confirmed += 1
    except ProduceError as error:
        raise UserError(f"{confirmed} events were published, then: {error}; is the stack up? (`still up`)") from None
    return {"events": confirmed}


def _write_events(settings: SimulateSettings, seed: int, out: str) -> dict[str, int]:
    shown = _progress(events(settings, seed), settings.conversations, _begins)
    return {"events": _write_lines(out, (to_json(event) for event in shown))}


def _write_benchmark(settings: SimulateSettings, seed: int, out: str) -> dict[str, int]:
    return {"benchmark_items": _write_lines(out, ground_truth(settings, seed))}


def _write_lines(out: str, lines: Iterable[dict[str, Any]]) -> int:
    count = 0
    with _opened(out) as file:
        for line in lines:
            file.write(orjson.dumps(line).decode() + "\n")
            count += 1
    return count


@contextmanager
def _opened(out: str) -> Iterator[TextIO]:
    if out == "-":
        yield sys.stdout
        return
    try:
        with Path(out).open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror}); give a path that can") from None


def _paced(events: Iterable[Event], rate: float | None) -> Iterator[Event]:
    """The same events, at most `rate` a second."""
    begun = time.monotonic()
    for number, event in enumerate(events):
        if rate is not None:
            time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        yield event


def _begins(event: ConversationEvent) -> bool:
    """Whether a contact's first event passes: in turn mode number 0, in whole mode the only one."""
    return not event.sequence


def _progress(events: Iterable[Event], total: int, counts: Callable[[Event], bool]) -> Iterator[Event]:
    """The same events with a bar on standard error that counts contacts as they begin."""
    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TextColumn("contacts"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulate", total=total)
        for event in events:
            if counts(event):
                bar.advance(task)
            yield event


def _summarise(made: dict[str, int], *, as_json: bool, to_errors: bool) -> None:
    """Say what was made; on standard error where the output itself is the data."""
    text = orjson.dumps(made).decode() if as_json else ", ".join(f"{n} {what}" for what, n in made.items())
    typer.echo(text, err=to_errors)
