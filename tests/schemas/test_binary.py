"""The short way between records and bytes gives what fastavro gives, or leaves the matter to it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import binary, catalog, codec
from schemas.datum import is_json
from schemas.errors import InvalidRecord, SchemaError, Undecodable
from schemas.records import RECORDS, ConversationEvent, Record
from schemas.wire import HEADER, fixed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _records(kind: type[Record]) -> st.SearchStrategy[Record]:
    """Records of a class whose fields hold anything that their types allow, numbers beyond Avro's included."""
    as_json = {f["name"]: JSON for f in catalog.newest_schema(kind.__name__)["fields"] if is_json(f)}
    return st.builds(kind, **as_json)


ANY_RECORD = st.sampled_from(sorted(RECORDS)).flatmap(lambda name: _records(RECORDS[name]))


def _outcome(make: Any, *arguments: Any) -> str:
    """What came of a call, so that not-a-number equals itself."""
    try:
        return repr(make(*arguments))
    except SchemaError as error:
        return f"{type(error).__name__}: {error}"


@given(ANY_RECORD)
def test_bytes_are_those_of_fastavro(record: Record) -> None:
    """A record is written, or refused, exactly as fastavro does."""
    assert _outcome(codec.encode, record) == _outcome(codec._encode_plainly, record, fixed())


@given(ANY_RECORD)
def test_records_are_those_of_fastavro(record: Record) -> None:
    """What is written reads the same both ways."""
    try:
        data = codec.encode(record)
    except InvalidRecord:
        return
    assert _outcome(codec.decode, data, type(record)) == _outcome(codec._decode_plainly, data, type(record), fixed())


@given(ANY_RECORD, st.data())
def test_broken_bytes_are_judged_by_fastavro(record: Record, data: st.DataObject) -> None:
    """Bytes with one of them changed, lost or more are read, or refused, exactly as fastavro does."""
    try:
        whole = codec.encode(record)
    except InvalidRecord:
        return
    place = data.draw(st.integers(0, len(whole) - 1))
    broken = whole[:place] + data.draw(st.binary(max_size=2)) + whole[place + 1 :]
    assert _outcome(codec.decode, broken, type(record)) == _outcome(
        codec._decode_plainly, broken, type(record), fixed()
    )


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_ordinary_records_go_the_short_way(name: str) -> None:
    """An ordinary record is written and read without fastavro: else the laws above would compare it with itself."""
    topic = catalog.of_record(name)
    for file in (catalog.FOLDER / "examples" / topic.name / f"v{topic.newest}").glob("*.json"):
        record = codec.decode_json(file.read_bytes(), RECORDS[name])
        data = codec._encode_plainly(record, fixed())
        assert binary.writer(name)(record) == data[HEADER.size :]
        assert codec._decode_directly(data, RECORDS[name], fixed()) == record


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_bytes_that_end_anywhere_too_soon_are_undecodable(name: str) -> None:
    """Wherever an ordinary record is cut off, between fields or within one, it is refused and no other error leaves."""
    topic = catalog.of_record(name)
    for file in (catalog.FOLDER / "examples" / topic.name / f"v{topic.newest}").glob("*.json"):
        data = codec.encode(codec.decode_json(file.read_bytes(), RECORDS[name]))
        for end in range(HEADER.size, len(data)):
            with pytest.raises(Undecodable):
                codec.decode(data[:end], RECORDS[name])


def test_a_flag_is_no_number() -> None:
    """True is not written as 1 where a number belongs, though both are one key to a memory."""
    codec.encode(ConversationEvent("e", "c", "closed", sequence=1))
    with pytest.raises(InvalidRecord, match="sequence=True"):
        codec.encode(ConversationEvent("e", "c", "closed", sequence=True))
