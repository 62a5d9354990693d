"""What a user gets wrong: one line that says what was wrong with which value, an exit status, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.settings import TableSettings
from sinks.registry import open_registry
from still.__main__ import main
from still.embedded.stack import Stack
from tests.adapters import event

EVENT = {"conversation_id": "c", "kind": "closed"}
FILES: dict[str, bytes] = {
    "empty.jsonl": b"",
    "blank.jsonl": b"\n  \n",
    "binary.jsonl": bytes(range(256)) * 9,
    "utf16.jsonl": json.dumps(EVENT).encode("utf-16"),
    "latin1.jsonl": '{"conversation_id": "\xe9", "kind": "closed"}\n'.encode("latin-1"),
    "kind.jsonl": b'{"conversation_id": "c", "kind": "dance"}\n',
    "noid.jsonl": b'{"kind": "closed"}\n',
    "nan.jsonl": b'{"conversation_id": "c", "kind": "outcome", "outcome": {"reward": NaN}}\n',
    "silent.jsonl": b'{"conversation_id": "c", "kind": "conversation", "messages": []}\n',
    "deep.jsonl": b'{"conversation_id": "c", "kind": "turn", "messages": ' + b"[" * 3000 + b"]" * 3000 + b"}\n",
    "half.jsonl": b'{"conversation_id": "c", "kind": "turn", "messages": [{"role": "user", "content": "\\ud800"}]}\n',
    "large.jsonl": json.dumps(
        {"conversation_id": "c", "kind": "conversation", "messages": [{"role": "user", "content": "x" * 5_000_000}]}
    ).encode(),
    "weight.jsonl": b'{"task": "intent", "text": "a", "target": "x", "weight": -1}\n',
    "span.jsonl": b'{"task": "entities", "text": "ab", "target": [{"start": 0, "end": 9, "label": "x"}]}\n',
    "list.jsonl": b"[1]\n",
    "dance.jsonl": b'{"task": "dance"}\n',
    "set.jsonl": b'{"task": "intent", "text": "a", "target": "x", "label_set": 3}\n',
    "object.json": b'{"not": "tau"}',
    "none.json": b"[]",
    "none2.json": b'{"info": {}, "simulations": []}',
    "none.csv": b"text,category\n",
    "nul.jsonl": json.dumps(EVENT).encode() + b"\na\0b\n",
}


@pytest.fixture(name="at")
def _at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """The path of a broken file, a folder or nothing, by name; no broker and no ClickHouse answer."""
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv("STILL_FOLDER", str(tmp_path / "still"))
    monkeypatch.setenv("STILL_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv("STILL_CLICKHOUSE_URL", "http://127.0.0.1:9")
    return lambda name: str(tmp_path / name)


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit status and standard error of a command."""
    capsys.readouterr()
    status = main(arguments)
    return status, capsys.readouterr().err


@pytest.mark.usefixtures("at")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["publish", "folder"], "folder is no file"),
        (["publish", "kind.jsonl"], "no broker answers at 127.0.0.1:9"),
        (["import", "tau-bench", "folder"], "folder: holds no .json file"),
        (["import", "openai-chat", "nowhere"], "nowhere: is not there"),
        (["label", "import", "span.jsonl"], "no broker answers at 127.0.0.1:9"),
        (["benchmark", "list"], "127.0.0.1:9"),
        (["benchmark", "seal", "x"], "127.0.0.1:9"),
        (["sql", " "], "the query is empty"),
        (["status"], "127.0.0.1:9"),
        (["init"], "no broker answers at 127.0.0.1:9"),
        (["simulate", "-n", "-1", "--out", "x.jsonl"], "conversations=-1 is negative"),
        (["simulate", "-n", "1", "--start", "9999-01-01", "--out", "x.jsonl"], "lies outside 1970 to 2289"),
        (["simulate", "-n", "1", "--out", "folder"], "folder cannot be written"),
        (["simulate", "-n", "1", "--out", "nowhere/x.jsonl"], "nowhere/x.jsonl cannot be written"),
        (["dlq", "list"], "no broker answers at 127.0.0.1:9"),
        (["dlq", "list", "--since", "then"], "--since 'then' is neither"),
        (["dlq", "show", "zz"], "'zz' is no letter's id"),
        (["dlq", "replay"], "name letters by id"),
        (["dlq", "replay", "--stage", "sink", "--value", "list.jsonl"], "name exactly one"),
        (["models", "show", "intent"], "intent has no champion yet"),
        (["models", "list", "--task", "intents"], "--task 'intents' is not one of"),
        (["train", "--task", "intent", "--data", "folder"], "folder is no file"),
        (["train", "--task", "intent", "--data", "nowhere"], "nowhere is not there"),
        (["train", "--task", "intent", "--data", "binary.jsonl"], "binary.jsonl:1: is no"),
        (["train", "--task", "intent", "--data", "utf16.jsonl"], "utf16.jsonl:1: is no UTF-8 text"),
        (["train", "--task", "intent", "--data", "empty.jsonl"], "empty.jsonl holds no line of task intent"),
        (["train", "--task", "intent", "--data", "list.jsonl"], "list.jsonl:1: holds list, not an object"),
        (["train", "--task", "intent", "--data", "dance.jsonl"], "dance.jsonl:1: task='dance' is not one of"),
        (["train", "--task", "intent", "--data", "set.jsonl"], "set.jsonl:1: label_set=3 is no text"),
        (["evaluate", "--task", "intent", "--predictions", "nowhere/x.jsonl"], "nowhere/x.jsonl cannot be written"),
        (["train", "--task", "dance"], "no track 'dance'"),
        (["evaluate", "--task", "intent", "--data", "folder"], "folder is no file"),
        (["evaluate", "--task", "intent", "--data", "latin1.jsonl"], "latin1.jsonl:1: is no UTF-8 text"),
        (["predict", "x", "--task", "dance"], "--task 'dance' is not one of"),
        (["models", "show", "nobody"], "there is no adapter 'nobody'"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2 and the value that was wrong."""
    status, error = said(arguments, capsys)
    assert (status, "Traceback" in error) == (2, False)
    assert words in error
    assert len([line for line in error.splitlines() if line.startswith("error: ")]) == 1


@pytest.mark.usefixtures("at")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["import", "openai-chat", "empty.jsonl", "--dry-run"], "empty.jsonl: is empty"),
        (["import", "openai-chat", "blank.jsonl", "--dry-run"], "blank.jsonl: is empty"),
        (["import", "openai-chat", "binary.jsonl", "--dry-run"], "binary.jsonl: is no UTF-8 text"),
        (["import", "openai-chat", "list.jsonl", "--dry-run"], "list.jsonl:1: holds list"),
        (["import", "tau-bench", "object.json", "--dry-run"], "object.json: is no list of trajectories"),
        (["import", "tau2-bench", "object.json", "--dry-run"], "lacks 'simulations'"),
        (["import", "tau-bench", "empty.jsonl", "--dry-run"], "empty.jsonl:1: is no JSON"),
        (["import", "tau-bench", "none.json", "--dry-run"], "none.json: holds no trajectory"),
        (["import", "tau2-bench", "none2.json", "--dry-run"], "none2.json: holds no simulation"),
        (["import", "openai-chat", "large.jsonl", "--dry-run"], "large.jsonl:1: conversation large/"),
        (["label", "import", "none.csv", "--format", "banking77", "--dry-run"], "none.csv: holds no record"),
        (["label", "import", "none.json", "--format", "restaurant8k", "--dry-run"], "none.json: holds no utterance"),
        (["label", "import", "empty.jsonl", "--dry-run"], "empty.jsonl: is empty"),
        (["label", "import", "utf16.jsonl", "--dry-run"], "utf16.jsonl: is no UTF-8 text"),
        (["label", "import", "latin1.jsonl", "--dry-run"], "latin1.jsonl:1: is no UTF-8 text"),
        (["label", "import", "weight.jsonl", "--dry-run"], "weight.jsonl:1: weight=-1"),
        (["label", "import", "folder", "--dry-run"], "folder: cannot be read: Is a directory"),
        (["benchmark", "import", "span.jsonl", "--dry-run"], "span.jsonl:1: span"),
    ],
    ids=str,
)
def test_a_broken_source_is_named(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are still read; exit status 1, `file:line: what`."""
    status, error = said(arguments, capsys)
    assert (status, "Traceback" in error) == (1, False)
    assert words in error


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("empty.jsonl", 1, "empty.jsonl: is empty"),
        ("binary.jsonl", 2, "binary.jsonl: is no UTF-8 text"),
        ("utf16.jsonl", 2, "utf16.jsonl: is no UTF-8 text"),
        ("latin1.jsonl", 1, "latin1.jsonl:1: is no UTF-8 text"),
        ("kind.jsonl", 1, "kind='dance' is not one of turn"),
        ("noid.jsonl", 1, "lacks conversation_id"),
        ("nan.jsonl", 1, "nan.jsonl:1: is no JSON"),
        ("silent.jsonl", 1, "kind=conversation without messages"),
        ("deep.jsonl", 1, "deep.jsonl:1: is no JSON"),
        ("half.jsonl", 1, "half.jsonl:1: is no JSON"),
        ("large.jsonl", 1, "large.jsonl:1: an event of conversation c has 50"),
        ("nul.jsonl", 1, "nul.jsonl:2: is no JSON"),
    ],
)
def test_publish_names_what_is_broken(  # noqa: PLR0917 - fixtures
    name: str,
    status: int,
    words: str,
    at: Callable[[str], str],
    stack: Stack,
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Against a broker that is there: the line or the conversation, what is wrong, what to do."""
    monkeypatch.setenv("STILL_BOOTSTRAP_SERVERS", stack.bootstrap_servers)
    monkeypatch.setenv("STILL_TOPIC_PREFIX", topic_prefix)
    found, error = said(["publish", at(name)], capsys)
    assert found == status
    assert words in error
    assert "Traceback" not in error


@pytest.mark.parametrize("command", ["up", "worker", "label import span.jsonl", "train --task intent --data two.jsonl"])
def test_a_folder_that_cannot_be_written_is_named(
    command: str,
    at: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """/proc takes no folder, whoever asks; the line names it."""
    lines = [{"task": "intent", "text": f"text {n}", "target": "ab"[n % 2]} for n in range(8)]
    Path(at("two.jsonl")).write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    monkeypatch.setenv("STILL_FOLDER", "/proc/nowhere")
    status, error = said(command.split(), capsys)
    assert (status, "Traceback" in error) == (2, False)
    assert "/proc/nowhere" in error


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Editors on Windows write one; the file is read all the same."""
    file = tmp_path / "bom.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + b'{"messages": [{"role": "user", "content": "Hi"}]}\n')
    assert main(["import", "openai-chat", str(file), "--dry-run"]) == 0
    assert "error" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["models list", "models show intent", "predict --task intent hello", "doctor --json"]
)
def test_a_damaged_event_of_the_registry_is_named(
    command: str, at: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command that reads the registry says which file is broken, without a traceback."""
    registry = open_registry(f"file://{at('still')}/registry")
    registry.record(event("intent-00001-00000000"))
    registry.files.pipe_file(f"{registry.root}/events/intent-00001-00000000/trained-0.avro", b"\x00\x00\x00\x00\x01")
    capsys.readouterr()
    status = main(command.split())
    told = capsys.readouterr()
    assert (status, "Traceback" in told.err) == (1 if command.startswith("doctor") else 2, False)
    assert "trained-0.avro is no model event" in told.out + told.err


def test_a_version_of_another_task_is_not_measured(
    at: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its outputs would not even have the form of the task's targets."""
    open_registry(f"file://{at('still')}/registry").record(event("intent-00001-00000000"))
    data = Path(at("spans.jsonl"))
    data.write_text('{"task": "entities", "text": "ab", "target": []}\n', encoding="ascii")
    arguments = ["evaluate", "--task", "entities", "--adapter", "intent-00001-00000000", "--data", str(data)]
    status, error = said(arguments, capsys)
    assert status != 0
    assert "intent-00001-00000000 is of task intent, not entities" in error


def test_a_named_version_is_measured_on_its_own_label_set(
    at: Callable[[str], str],
    stack: Stack,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not on the track's; one that does not exist is said to be unknown, whatever benchmark there is."""
    monkeypatch.setenv("STILL_CLICKHOUSE_URL", stack.clickhouse_url)
    monkeypatch.setenv("STILL_DATABASE", database)
    migrate(connect(stack.clickhouse_url, database), TableSettings(database=database))
    open_registry(f"file://{at('still')}/registry").record(replace(event("intent-00001-00000000"), label_set="cards"))
    status, error = said(["evaluate", "--task", "intent", "--adapter", "nobody"], capsys)
    assert (status, "there is no adapter 'nobody'" in error) == (2, True)
    status, error = said(["evaluate", "--task", "intent", "--adapter", "intent-00001-00000000"], capsys)
    assert (status, "there is no intent benchmark of label set 'cards'" in error) == (2, True)
