"""What a simulation can be told: how many contacts, when, in which languages, and how much goes wrong."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.edge import FIRST_US, LAST_US
from streams.simulate.errors import BadSettings
from streams.simulate.language import available

_MARGIN_US = 10 * 365 * 86_400 * 10**6
"""Contacts begin later than the first one, but none ends beyond what an event may say."""


@dataclass(frozen=True, slots=True)
class SimulateSettings:
    """How a shop's day goes; shares are fractions of contacts from 0 to 1.

    `start_us` is when the first contact begins, microseconds UTC; `seconds_between` spaces them in simulated time.
    `bad_share` None leaves it to each teacher's own rate (`shop.toml`). `label_noise` is how often the teacher's
    annotations are wrong; `disorder` how often a contact's turn events come late, twice, out of order or never close.
    """

    start_us: int
    conversations: int = 100
    languages: tuple[str, ...] = ("en",)
    whole: bool = False
    seconds_between: float = 15.0
    bad_share: float | None = None
    unsafe_share: float = 0.08
    out_of_scope_share: float = 0.05
    label_noise: float = 0.02
    disorder: float = 0.1

    def __post_init__(self) -> None:
        if self.conversations < 0:
            raise BadSettings(f"conversations={self.conversations} is negative; give 0 or more")
        if not FIRST_US <= self.start_us <= LAST_US - _MARGIN_US:
            raise BadSettings(f"start_us={self.start_us} lies outside 1970 to 2289; start between them")
        if self.seconds_between <= 0:
            raise BadSettings(f"seconds_between={self.seconds_between} must be above 0")
        known = available()
        if not self.languages or (unknown := [code for code in self.languages if code not in known]):
            raise BadSettings(f"languages={','.join(self.languages)!r}: {unknown if self.languages else 'none given'}; "
                              f"choose from {', '.join(known)}")  # fmt: skip
        for name in ("bad_share", "unsafe_share", "out_of_scope_share", "label_noise", "disorder"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise BadSettings(f"{name}={value} is no share; give a number from 0 to 1")
