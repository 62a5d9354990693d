"""Exact character spans from word tags and back."""

from hypothesis import given
from hypothesis import strategies as st

from tests.trainers.made import ENTITIES, item, item_of_chat
from trainers.bases.load import Bases
from trainers.heads import Tag
from trainers.heads.tag import words

TEXTS = st.lists(st.sampled_from(["it", "ships", "on", "monday", "red", "lamp"]), min_size=1, max_size=8)


@given(st.data())
def test_word_spans_survive_tags(bases: Bases, data: st.DataObject) -> None:
    """Spans that begin and end at words come back exactly, adjacent ones of one label included."""
    head = Tag(bases.of(ENTITIES), ENTITIES, ("day", "thing"))
    said = data.draw(TEXTS)
    starts = [sum(len(word) + 1 for word in said[:n]) for n in range(len(said))]
    cuts = data.draw(st.lists(st.sampled_from(["day", "thing", "", "+"]), min_size=len(said), max_size=len(said)))
    spans: list[dict[str, object]] = []
    inside = False
    for start, word, cut in zip(starts, said, cuts, strict=True):
        if cut == "+" and inside:
            spans[-1]["end"] = start + len(word)
        elif cut in ("day", "thing"):
            spans.append({"start": start, "end": start + len(word), "label": cut})
        inside = cut in ("day", "thing") or (cut == "+" and inside)
    (row,) = head.rows([item("entities", " ".join(said), spans)], targets=True)
    found, tags = row.target
    assert head.spans(tags, found) == spans


def test_pieces_of_one_word_are_one_place() -> None:
    """A word's end is its last piece's; special tokens are no words."""
    found = words([None, 0, 0, 1, None], [(0, 0), (0, 3), (3, 5), (6, 9), (0, 0)], 0)
    assert found == [(1, 0, 5), (3, 6, 9)]


def test_offsets_count_from_the_last_message(bases: Bases) -> None:
    """Context before the last message moves nothing."""
    head = Tag(bases.of(ENTITIES), ENTITIES, ("day",))
    span = [{"start": 3, "end": 9, "label": "day"}]
    chat = [{"role": "assistant", "content": "where"}, {"role": "user", "content": "on monday"}]
    (row,) = head.rows([item_of_chat("entities", chat, span)], targets=True)
    assert head.spans(row.target[1], row.target[0]) == span


def test_an_inside_tag_that_continues_nothing_begins_a_span(bases: Bases) -> None:
    """Whatever the model says can be read."""
    head = Tag(bases.of(ENTITIES), ENTITIES, ("day", "thing"))
    places = [(1, 0, 2), (2, 3, 5), (3, 6, 8)]
    assert head.spans([2, 4, 2], places) == [
        {"start": 0, "end": 2, "label": "day"},
        {"start": 3, "end": 5, "label": "thing"},
        {"start": 6, "end": 8, "label": "day"},
    ]
