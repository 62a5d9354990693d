"""The demo's summary: what came in, what each track learned, what that would save, and where to look next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from schemas.records import TASKS, Metric, ModelEvent, Task
from serving.savings import FORMULA, Projection, load_prices, project
from sinks.clickhouse.client import Client

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Learned:
    """One track: `before` is the figure of its first floor (probe or bare base), `after` that of its best version."""

    event: ModelEvent
    before: Metric | None
    after: Metric | None


def learned(events: Iterable[ModelEvent], label_sets: Mapping[Task, str]) -> dict[Task, Learned]:
    """Per track: the promoted version if there is one, else the newest evaluated one, against its run's first floor."""
    newest: dict[Task, ModelEvent] = {}
    floors: dict[str | None, Metric | None] = {}
    for event in events:
        if event.kind == "trained" or label_sets.get(event.task) != event.label_set:
            continue
        if event.round == 1:
            floors[event.run_id] = _metric(event, "probe") or _metric(event, "champion")
        held = newest.get(event.task)
        if held is None or event.kind == "promoted" or held.kind != "promoted":
            newest[event.task] = event
    return {
        task: Learned(event, floors.get(event.run_id), _metric(event, "candidate")) for task, event in newest.items()
    }


def projection(client: Client, found: dict[Task, Learned]) -> Projection:
    """What the promoted versions would save; a version that was not promoted answers nothing."""
    coverage = {task: _coverage(one.event) for task, one in found.items()}
    sql = f"SELECT avg(cost_usd) AS cost FROM {client.database}.newest_conversations"  # noqa: S608 - a name of ours
    return project(client.rows(sql)[0]["cost"], coverage, load_prices())


def show(console: Console, client: Client, found: dict[Task, Learned], where: dict[str, str]) -> None:
    """Print the summary."""
    console.rule("what came in")
    console.print(_funnel(client))
    console.rule("what was learned")
    console.print(_learned(found))
    _show_verdicts(console, found)
    console.rule("a projection, not a statement: what it would save")
    _show_projection(console, projection(client, found))
    console.rule("where to look next")
    for command, why in where.items():
        console.print(f"  {command:<66} [dim]{why}[/]", highlight=False, soft_wrap=True)


def _metric(event: ModelEvent, subject: str) -> Metric | None:
    """The track's own figure on the benchmark: the first of its subject."""
    return next((m for m in event.metrics if m.subject == subject and m.on.startswith("benchmark")), None)


def _coverage(event: ModelEvent) -> float | None:
    if event.kind != "promoted" or event.routing is None:
        return None
    return event.routing.coverage


def _funnel(client: Client) -> Table:
    table = Table("stage", "detail", "records", box=None)
    for row in client.rows(f"SELECT stage, detail, records FROM {client.database}.funnel"):  # noqa: S608
        table.add_row(row["stage"], row["detail"], f"{row['records']:,}")
    return table


def _learned(found: dict[Task, Learned]) -> Table:
    table = Table("task", box=None)
    for header in ("metric", "before", "after", "items", "verdict"):
        table.add_column(header, overflow="fold")
    for task in TASKS:
        if task in found:
            one = found[task]
            name = one.after.name if one.after else UNKNOWN
            items = f"{one.after.n:,}" if one.after else UNKNOWN
            verdict = one.event.gate.verdict if one.event.gate else UNKNOWN
            table.add_row(task, name, _figure(one.before), _figure(one.after), items, verdict)
    return table


def _figure(metric: Metric | None) -> str:
    if metric is None or metric.value is None:
        return UNKNOWN
    if metric.low is None or metric.high is None:
        return f"{metric.value:.3f}"
    return f"{metric.value:.3f} [{metric.low:.3f}, {metric.high:.3f}]"


def _show_verdicts(console: Console, found: dict[Task, Learned]) -> None:
    console.print(
        "before = frozen-encoder probe on the same batch (response: the bare base), or the champion; 95 % intervals"
    )
    for task, one in found.items():
        if one.event.gate:
            console.print(
                f"  {task}: {one.event.adapter}: {one.event.gate.reasons[0]}", highlight=False, soft_wrap=True
            )


def _show_projection(console: Console, found: Projection) -> None:
    prices = found.prices
    console.print(f"{FORMULA}", highlight=False)
    console.print(
        f"prices {prices.version}: student cost ratio {prices.student_cost_ratio}, audit share {prices.audit_share}",
        highlight=False,
    )
    table = Table("task", "share of spend", "saved", box=None)
    for task in TASKS:
        saved = found.saved_by_task[task]
        shown = f"{UNKNOWN}: no certified coverage, the teacher answers" if saved is None else f"{saved:.1%}"
        table.add_row(task, f"{prices.spend_shares[task]:.0%}", shown)
    console.print(table)
    share = UNKNOWN if found.saved_share is None else f"{found.saved_share:.1%}"
    usd = UNKNOWN if found.saved_usd is None else f"{found.saved_usd:.5f} USD"
    cost = UNKNOWN if found.teacher_cost_usd is None else f"{found.teacher_cost_usd:.5f} USD"
    console.print(f"teacher's mean cost a conversation {cost}; projected saving {share}, {usd} a conversation")
