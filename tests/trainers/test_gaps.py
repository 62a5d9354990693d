"""Gaps: more weight where development shows more errors, bounded, and none where there are none."""

from hypothesis import given
from hypothesis import strategies as st

from tests.trainers.made import contact
from trainers.gaps import LEAST_NEED, MOST_NEED, NO_NEEDS, find_gaps, label_of

counts = st.integers(1, 200).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(st.lists(counts, min_size=1, max_size=8))
def test_needs_are_bounded_and_follow_the_errors(pairs: list[tuple[int, int]]) -> None:
    """Needs stay in their bounds; among buckets of one size, more errors never need less."""
    slices = [{"bucket": f"intent/label-{i}", "n": n, "errors": e} for i, (n, e) in enumerate(pairs)]
    needs = find_gaps(slices)
    assert all(LEAST_NEED <= gap.need <= MOST_NEED for gap in needs.gaps)
    for one in needs.gaps:
        for other in needs.gaps:
            if one.n == other.n and one.errors > other.errors:
                assert one.need >= other.need


def test_no_errors_no_needs() -> None:
    """A perfect development split asks for nothing, and so does an empty one."""
    assert find_gaps([{"bucket": "intent/refund", "n": 9, "errors": 0}]) is NO_NEEDS
    assert find_gaps([]) is NO_NEEDS


def test_one_unlucky_item_moves_little() -> None:
    """One error in one item needs less than half the errors in a hundred."""
    rows = [("intent/a", 1, 1), ("intent/b", 100, 60), ("intent/c", 300, 3)]
    needs = find_gaps({"bucket": bucket, "n": n, "errors": errors} for bucket, n, errors in rows)
    assert needs.by_bucket["intent/a"] < needs.by_bucket["intent/b"]


def test_an_unmeasured_bucket_follows_its_label() -> None:
    """A bucket that development lacks has its label's need; an unknown label the average."""
    needs = find_gaps(
        [
            {"bucket": "intent/refund/hard/en/production", "n": 20, "errors": 18},
            {"bucket": "intent/track/easy/en/production", "n": 80, "errors": 2},
        ]
    )
    assert needs.of(contact(1, "refund")) == needs.by_label["refund"] > 1
    assert needs.of(contact(1, "cancel")) == 1.0


def test_labels_may_hold_slashes() -> None:
    """The label is what stands between the task and the last three parts."""
    assert label_of("safety/hate/threatening/hard/en/production") == "hate/threatening"
    assert label_of("intent/refund") == "refund"
