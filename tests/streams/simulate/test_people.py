"""Made-up customers have personal data that checks out like real data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.simulate.language import available
from streams.simulate.people import customer


def _luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    return sum(sum(divmod(d * 2, 10)) if i % 2 else d for i, d in enumerate(digits)) % 10 == 0


@given(st.integers(0, 10**6))
def test_cards_and_ibans_have_valid_check_digits(number: int) -> None:
    """Cards pass Luhn, IBANs pass MOD 97-10, so that redaction has to find them."""
    who = customer(1, "test", number, available())
    assert _luhn(who.card.replace(" ", ""))
    moved = who.iban[4:] + who.iban[:4]
    assert int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1
    assert who.email.isascii()
    assert "@" in who.email


def test_populations_share_nobody() -> None:
    """The same number in another population or seed is another customer."""
    ids = {customer(seed, name, 5, ("en",)).customer_id for seed in (1, 2) for name in ("a", "b")}
    assert len(ids) == 4
