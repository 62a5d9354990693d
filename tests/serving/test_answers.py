"""The local engine: the champion answers, and where there is none it says so."""

from pathlib import Path

import pytest

from schemas.records import Messages
from serving.answers import Answer, LocalEngine, Reply
from serving.errors import NoChampion
from tests.adapters import event

NAME = "intent-00001-aaaaaaaa"
HELLO: Messages = [{"role": "user", "content": "money back"}]


class _Echo:
    """A model that answers with the customer's words."""

    def __init__(self, _folder: Path) -> None:
        self.open = True

    def answer(self, messages: Messages) -> Reply:
        assert self.open
        return Reply(messages[-1]["content"], 0.9)

    def close(self) -> None:
        self.open = False


def test_the_champion_answers(tmp_path: Path) -> None:
    """An answer names its adapter and label set."""
    engine = LocalEngine(_Echo)
    engine.load(NAME, tmp_path, event(NAME))
    assert engine.answer("intent", None, HELLO) == Answer(NAME, "intent", "shop", "money back", 0.9)


def test_without_a_champion_it_says_so(tmp_path: Path) -> None:
    """No version, another label set, or an unloaded one: NoChampion, in words."""
    engine = LocalEngine(_Echo)
    with pytest.raises(NoChampion, match="no champion yet"):
        engine.answer("intent", None, HELLO)
    engine.load(NAME, tmp_path, event(NAME))
    with pytest.raises(NoChampion, match="banking77"):
        engine.answer("intent", "banking77", HELLO)
    engine.unload(NAME)
    with pytest.raises(NoChampion):
        engine.answer("intent", "shop", HELLO)
