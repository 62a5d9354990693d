"""The corpus of the decoder base: endless, seeded, and of other trades than any shop that adapters learn."""

from __future__ import annotations

from itertools import islice

import orjson

from schemas import edge
from schemas.records import ConversationEvent
from trainers.bases.corpus import dialogues


def test_equal_seeds_make_equal_dialogues() -> None:
    """The same seed gives the same text, another seed another."""
    first, again, other = (list(islice(dialogues(seed), 50)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_dialogues_are_sound_chats() -> None:
    """Every dialogue passes the edge, fills all its blanks and gives each call its result."""
    for number, chat in enumerate(islice(dialogues(3), 500)):
        edge.check(ConversationEvent(str(number), str(number), "conversation", messages=chat))
        for message in chat:
            text = message["content"]
            assert text is None or (text and ("{" not in text or orjson.loads(text)))


def test_the_demo_shop_is_not_in_it() -> None:
    """No name or voice of the simulated shop is in the corpus, so an adapter has it all to learn."""
    text = orjson.dumps(list(islice(dialogues(4), 2000))).decode()
    assert not any(word in text for word in ("Lantern", "Loom", "weav", "linen", "lamp"))
