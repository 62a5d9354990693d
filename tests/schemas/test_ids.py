"""Ids and hashes depend on their input only."""

import re
import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import customer_hash, normalised, share, stable_id, text_hash


def test_stable_id_is_fixed_for_life() -> None:
    """A known input gives a known id: a change of the rule would double every replayed record."""
    assert stable_id("conv", 1, "intent") == "d5c7a1aa2de250e42c375a4be0cbf77f"


@given(st.text(), st.text())
def test_parts_do_not_run_together(left: str, right: str) -> None:
    """Moving the border between two parts changes the id."""
    if left + "a" != left or right:
        assert stable_id(left + "a", right) != stable_id(left, "a" + right)


def test_normalisation_joins_near_identical_texts() -> None:
    """Case, digits and white space do not make a text new."""
    assert normalised("Order  No. 4711\n") == "order no. 0000"
    assert text_hash("Order 12") == text_hash("order  34")


def test_customer_hash_needs_the_key() -> None:
    """The same customer under another key is somebody else."""
    assert customer_hash("mia", b"k1") == customer_hash("mia", b"k1")
    assert customer_hash("mia", b"k1") != customer_hash("mia", b"k2")


@given(st.lists(st.integers(), min_size=200, max_size=200, unique=True))
def test_share_is_spread(units: list[int]) -> None:
    """Shares lie in [0, 1) and about half of them in each half."""
    shares = [share(str(unit), "salt") for unit in units]
    assert all(0 <= value < 1 for value in shares)
    assert 50 <= sum(value < 0.5 for value in shares) <= 150


@given(st.text(alphabet=st.characters(max_codepoint=127)) | st.text())
def test_short_ways_of_normalising_change_nothing(text: str) -> None:
    """Texts in ASCII, and texts without foreign digits, come to what every text comes to."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    assert normalised(text) == " ".join(re.sub(r"\d", "0", folded).split())


def test_every_digit_is_known() -> None:
    """No character that a pattern takes for a digit is passed over."""
    digits = [char for char in map(chr, range(128, sys.maxunicode + 1)) if re.fullmatch(r"\d", char)]
    assert len(digits) > 500
    assert all(normalised(char) == "0" for char in digits)
