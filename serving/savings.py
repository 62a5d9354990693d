"""What routing to the students would save: a projection before there is real routed traffic, never a statement.

Formula: saved = sum over tasks of share x coverage x (1 - student cost ratio - audit share). A task without a certified
coverage keeps its teacher and adds nothing; a teacher's cost that nobody recorded leaves the amount unknown (None).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.records import TASKS, Task

FORMULA = "saved = sum over tasks of share x coverage x (1 - student cost ratio - audit share)"
_DEFAULT = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True, slots=True)
class Prices:
    """Assumed ratios: all between 0 and 1; `spend_shares` sum to 1."""

    version: str
    student_cost_ratio: float
    audit_share: float
    spend_shares: Mapping[Task, float]

    def __post_init__(self) -> None:
        """Refuse shares that do not add up.

        Raises:
            ValueError: names the figure.
        """
        for name, value in (("student_cost_ratio", self.student_cost_ratio), ("audit_share", self.audit_share)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name}={value} must lie between 0 and 1")
        if abs(sum(self.spend_shares.values()) - 1) > 1e-9 or set(self.spend_shares) != set(TASKS):
            raise ValueError(f"spend_shares={dict(self.spend_shares)} must name all five tasks and sum to 1")


@dataclass(frozen=True, slots=True)
class Projection:
    """Saved share of the teacher's spend (None = no task has a certified coverage) and US dollars a conversation."""

    saved_by_task: Mapping[Task, float | None]
    saved_share: float | None
    teacher_cost_usd: float | None
    saved_usd: float | None
    prices: Prices


def load_prices(file: Path = _DEFAULT) -> Prices:
    """The assumed ratios of a TOML file.

    Raises:
        ValueError: a figure is missing or impossible.
    """
    raw: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    try:
        return Prices(**raw)
    except TypeError as error:
        raise ValueError(f"{file}: {error}; see serving/prices.toml for the names") from None


def project(teacher_cost_usd: float | None, coverage: Mapping[Task, float | None], prices: Prices) -> Projection:
    """The projection for a mean teacher cost a conversation (US dollars) and certified coverages (0 to 1) by task."""
    net = 1 - prices.student_cost_ratio - prices.audit_share
    by_task = {task: _saved(prices.spend_shares[task], coverage.get(task), net) for task in TASKS}
    known = [saved for saved in by_task.values() if saved is not None]
    share = sum(known) if known else None
    usd = None if share is None or teacher_cost_usd is None else share * teacher_cost_usd
    return Projection(by_task, share, teacher_cost_usd, usd, prices)


def _saved(spend: float, coverage: float | None, net: float) -> float | None:
    return None if coverage is None else spend * coverage * net
