"""The commands that bring data in, over the real broker."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import structlog

from schemas.codec import decode_event
from still.__main__ import main
from still.embedded.stack import Stack
from streams.publisher import TOPIC
from tests.streams.log import read

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(autouse=True)
def _environment(stack: Stack, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The commands find the stack through the environment."""
    monkeypatch.setenv("STILL_BOOTSTRAP_SERVERS", stack.bootstrap_servers)
    monkeypatch.setenv("STILL_TOPIC_PREFIX", topic_prefix)
    monkeypatch.setenv("STILL_FOLDER", str(tmp_path / "folder"))
    yield
    structlog.reset_defaults()  # a command leaves logs bound to the captured standard error


def test_publish_prints_a_receipt_for_each_event(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken line is named, nothing else is lost, and the exit status tells."""
    file = tmp_path / "events.jsonl"
    good = orjson.dumps({"conversation_id": "c", "kind": "turn", "messages": HELLO})
    file.write_bytes(good + b"\n{broken\n" + good.replace(b'"c"', b'"d"') + b"\n")
    assert main(["publish", str(file), "--json"]) == 1
    printed = capsys.readouterr()
    receipts = [orjson.loads(line) for line in printed.out.splitlines()]
    assert [receipt["conversation_id"] for receipt in receipts] == ["c", "d"]
    assert f"error: {file}:2: is no JSON" in printed.err
    assert "2 events published, 1 broken lines" in printed.err


def test_strict_stops_at_the_first_broken_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What comes behind it is not sent."""
    file = tmp_path / "events.jsonl"
    file.write_bytes(b'{broken\n{"conversation_id": "c", "kind": "closed"}\n')
    assert main(["publish", str(file), "--strict"]) == 1
    assert "0 events published, 1 broken lines" in capsys.readouterr().out


def test_import_audits_what_it_publishes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run and a real one tell the same figures."""
    file = tmp_path / "chats.jsonl"
    file.write_bytes(orjson.dumps({"messages": HELLO, "id": 1}) + b"\n" + orjson.dumps({"messages": HELLO, "id": 2}))
    assert main(["import", "openai-chat", str(file), "--dry-run", "--json"]) == 0
    dry = orjson.loads(capsys.readouterr().out)
    assert main(["import", "openai-chat", str(file), "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out) == dry
    assert (dry[0]["conversations"], dry[0]["without_outcome"], dry[0]["cost_usd"]) == (2, 2, None)


def test_a_conversation_with_too_large_a_message_is_not_sent_at_all(
    stack: Stack, topic_prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One fault with its line, in a dry run too; no turn, no close: a hole would give the rest a wrong context."""
    file = tmp_path / "chats.jsonl"
    large = [*HELLO, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "x" * 1_500_000}]
    lines = [{"messages": HELLO, "id": "a"}, {"messages": large, "id": "b"}, {"messages": HELLO, "id": "c"}]
    file.write_bytes(b"\n".join(map(orjson.dumps, lines)))
    assert main(["import", "openai-chat", str(file), "--dry-run", "--json"]) == 1
    dry = orjson.loads(capsys.readouterr().out)
    assert main(["import", "openai-chat", str(file), "--json"]) == 1
    printed = capsys.readouterr()
    assert orjson.loads(printed.out) == dry
    assert dry[0]["conversations"] == 2
    (error,) = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    assert f"{file}:2: conversation chats/b does not fit" in error
    arrived = [decode_event(message.value()) for message in read(stack.bootstrap_servers, f"{topic_prefix}{TOPIC}")]
    assert sorted(event.conversation_id for event in arrived) == ["chats/a", "chats/c"]


def test_a_large_conversation_arrives_in_parts(
    stack: Stack, topic_prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Turns and a close on the log, one conversation in the audit; a contact that comes again is a note."""
    file = tmp_path / "chats.jsonl"
    large = [{"role": role, "content": "x" * 600_000} for role in ("user", "assistant", "user")]
    lines = [{"messages": large, "id": "a"}, {"messages": HELLO, "id": "b"}, {"messages": HELLO, "id": "b"}]
    file.write_bytes(b"\n".join(map(orjson.dumps, lines)))
    assert main(["import", "openai-chat", str(file), "--json"]) == 0
    printed = capsys.readouterr()
    (found,) = orjson.loads(printed.out)
    assert (found["conversations"], found["messages"]) == (2, 4)
    assert f"note: {file}:3: is contact chats/b again, as in {file}:2" in printed.err
    arrived = [decode_event(message.value()) for message in read(stack.bootstrap_servers, f"{topic_prefix}{TOPIC}")]
    kinds = {name: [e.kind for e in arrived if e.conversation_id == name] for name in ("chats/a", "chats/b")}
    assert kinds == {"chats/a": ["turn", "turn", "turn", "closed"], "chats/b": ["conversation", "conversation"]}


def test_labels_go_to_examples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Imported and counted by split; `benchmark import` puts all on the benchmark's side."""
    file = tmp_path / "mine.jsonl"
    file.write_bytes(b"\n".join(orjson.dumps({"task": "safety", "text": f"t {n}", "target": []}) for n in "abc"))
    assert main(["label", "import", str(file), "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)[0]["examples"] == 3
    assert main(["benchmark", "import", str(file), "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)[0]["splits"] == {"benchmark": 3}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["publish", "nowhere.jsonl"], "nowhere.jsonl is no file"),
        (["import", "tau-bench", "nowhere"], "nowhere: is not there"),
        (["label", "import", "nowhere"], "nowhere is not there"),
        (["label", "import", "nowhere", "--format", "csv"], "--format 'csv' is not one of"),
        (["label", "import", "nowhere", "--split", "test"], "--split 'test' is not one of"),
    ],
)
def test_a_users_mistake_is_one_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, `error:` and what to do; no traceback."""
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert told in err


def test_a_broker_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Within seconds, with its address."""
    monkeypatch.setenv("STILL_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    file = tmp_path / "events.jsonl"
    file.write_bytes(b'{"conversation_id": "c", "kind": "closed"}\n')
    assert main(["publish", str(file)]) == 2
    assert "no broker answers at 127.0.0.1:1: " in capsys.readouterr().err
