"""Many records at once give what each of them gives alone."""

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.records import Provenance, Score
from sinks.decode import decoders
from sinks.decode_columns import ONE_BY_ONE, Columns, bulk_decoders
from sinks.tables import table
from sinks.values import Arrived, Partition, Refused, Row
from tests.sinks.made import CLUSTER, arrived, example

ONE = decoders(b"key")
MANY = bulk_decoders(b"key")
SCORES = Partition(CLUSTER, "scores", 0)
GOOD = [encode(example(n, index=n % 3, attempt=n % 5 == 0, partition=n % 2)) for n in range(50)]


def _score(number: int) -> Score:
    source = Provenance("root-1", "conversation.events", 0, number, 0, None)
    signals = {"resolved": 1.0, "unknown": None} if number % 2 else {}
    return Score(f"conversation-{number}", 1, source, "rules-1", 0.5, signals)


def test_all_good_records_are_read_together() -> None:
    """The columns are not merely skipped in favour of one by one, and maps and nulls come out as they are alone."""
    assert Columns(table("examples")).rows(GOOD) == [ONE["examples"](arrived(data, 0)) for data in GOOD]
    scores = [encode(_score(number)) for number in range(9)]
    assert Columns(table("scores")).rows(scores) == [ONE["scores"](arrived(data, 0, SCORES)) for data in scores]


def test_numbers_that_no_column_takes_stay_what_they_are() -> None:
    """An integer beyond its type is not folded into another: the row says it, and the table refuses it."""
    huge = [encode(example(1, partition=2**40)), encode(example(2, index=2**31)), encode(example(3, attempt=2**33))]
    assert Columns(table("examples")).rows(huge) == [ONE["examples"](arrived(data, 0)) for data in huge]
    assert Columns(table("examples")).rows([GOOD[0], encode(example(4, attempt=-1))]) is None


@settings(max_examples=300)
@given(st.sampled_from(GOOD), st.integers(0, 10**6), st.binary(max_size=3), st.integers(0, 3))
def test_no_damage_is_read_otherwise_than_alone(data: bytes, place: int, put: bytes, taken: int) -> None:
    """Whatever is wrong with a record's bytes, the columns give the row that it gives alone, or none at all."""
    at = place % (len(data) + 1)
    damaged = data[:at] + put + data[at + taken :]
    together = Columns(table("examples")).rows([GOOD[0], damaged, GOOD[1]])
    assert together is None or together[1] == ONE["examples"](arrived(damaged, 0))


@given(st.sets(st.integers(0, 3 * ONE_BY_ONE - 1), max_size=6))
@settings(max_examples=20)
def test_bad_records_cost_only_themselves(bad: set[int]) -> None:
    """Junk anywhere in a long read is refused, in its place; every other record is its row."""
    data = [b"junk" if n in bad else GOOD[n % len(GOOD)] for n in range(3 * ONE_BY_ONE)]
    records = [arrived(one, offset) for offset, one in enumerate(data)]
    found = MANY["examples"](records)
    assert {n for n, row in enumerate(found) if isinstance(row, Refused)} == bad
    assert found == [ONE["examples"](record) for record in records]


def test_topics_without_plain_rows_are_read_one_by_one() -> None:
    """A record without bytes, or of a topic whose rows are made, is as it is alone."""
    nothing = Arrived(Partition(CLUSTER, "examples", 0), 1, 0, None, None)
    assert MANY["examples"]([nothing] * (ONE_BY_ONE + 1)) == [ONE["examples"](nothing)] * (ONE_BY_ONE + 1)
    event = arrived(b"{}", 3, Partition(CLUSTER, "conversation.events", 0))
    (row,) = MANY["conversation.events"]([event])
    assert isinstance(row, Row)
    assert row == ONE["conversation.events"](event)
