"""A folder whose stack is down: no command takes whatever answers on the default ports for it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from structlog.testing import capture_logs

from still.__main__ import main
from still.embedded.lock import folder_lock
from still.embedded.stack import LOCK_NAME, Ports, running_stack
from still.settings import ADDRESSES, load
from still.training import later_announcer
from tests.adapters import event

EVENT = {"conversation_id": "c", "kind": "turn", "messages": [{"role": "user", "content": "Hello"}]}
LABEL = {"task": "intent", "label_set": "shop", "text": "where is it", "target": "refund"}
DOWN = "no stack runs in {folder!r}; start it with `still up`, or set STILL_BOOTSTRAP_SERVERS / STILL_CLICKHOUSE_URL"
NEEDY = (
    "publish {events}",
    "label import {labels}",
    "benchmark import {labels}",
    "simulate -n 1",
    "status",
    "init",
    "init --dry-run",
    "dlq list",
    "dlq replay --stage sink",
    "worker",
    "sink",
    "trainer",
    "train --task intent",
    "evaluate --task intent",
)


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that had a stack; nothing names an address."""
    for name in ADDRESSES:
        monkeypatch.delenv(f"STILL_{name.upper()}", raising=False)
    folder = tmp_path / "folder"
    (folder / "clickhouse").mkdir(parents=True)
    monkeypatch.setenv("STILL_FOLDER", str(folder))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield folder
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_the_folders_own_stack_is_meant(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the stack there is no address, but for the one that somebody names."""
    assert [getattr(load(), name) for name in ADDRESSES] == ["", ""]
    monkeypatch.setenv("STILL_BOOTSTRAP_SERVERS", "kafka:9092")
    assert [getattr(load(), name) for name in ADDRESSES] == ["kafka:9092", ""]
    assert load(folder=folder, clickhouse_url="http://ch:8123").clickhouse_url == "http://ch:8123"


@pytest.mark.usefixtures("folder")
def test_a_client_without_a_stack_of_its_own_has_the_defaults(tmp_path: Path) -> None:
    """A folder with a registry and a key alone belongs to a cluster's client."""
    elsewhere = tmp_path / "client"
    assert load(folder=elsewhere).key()
    assert load(folder=elsewhere).bootstrap_servers == "127.0.0.1:19092"
    assert load(folder=elsewhere).clickhouse_url == "http://127.0.0.1:18123"


@pytest.mark.parametrize("command", NEEDY)
def test_a_command_that_needs_the_stack_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """One sentence that names the folder and both ways out; nothing is asked elsewhere, and no traceback."""
    events, labels = tmp_path / "events.jsonl", tmp_path / "labels.jsonl"
    events.write_bytes(orjson.dumps(EVENT))
    labels.write_bytes(orjson.dumps(LABEL))
    assert main(command.format(events=events, labels=labels).split()) == 2
    said = capsys.readouterr()
    assert f"error: {DOWN.format(folder=str(folder))}\n" in said.err


def test_doctor_finds_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Broker and ClickHouse are amiss, for the same reason."""
    assert main(["doctor", "--quick", "--json"]) == 1
    found = {finding["check"]: finding["found"] for finding in orjson.loads(capsys.readouterr().out)}
    assert found == dict.fromkeys(("broker", "topics", "ClickHouse"), DOWN.format(folder=str(folder)))


@pytest.mark.usefixtures("folder")
def test_training_on_a_file_needs_no_stack() -> None:
    """What it announces waits in the registry, and the reason is told once."""
    with capture_logs() as said:
        announcer = later_announcer(load())
        assert announcer.announced() == set()
        announcer.announce(event("intent-00001-3fa9c1d2"))
    assert [(one["event"], one["reason"][:14]) for one in said] == [("announcement_waits", "no stack runs ")]


@pytest.mark.usefixtures("folder")
def test_what_needs_no_stack_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """The registry lies in the folder."""
    assert main(["models", "list", "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out) == []


def test_sql_opens_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A query is answered by the folder's own data, whoever listens on the default ports."""
    for name in ADDRESSES:
        monkeypatch.delenv(f"STILL_{name.upper()}", raising=False)
    monkeypatch.setenv("STILL_FOLDER", str(tmp_path))
    with running_stack(tmp_path, Ports(0, 0)):
        assert main(["sql", "CREATE TABLE default.mine ENGINE = MergeTree ORDER BY n AS SELECT 7 AS n", "--write"]) == 0
    assert main(["sql", "SELECT n FROM default.mine", "--json"]) == 0
    out, err = capsys.readouterr()
    assert orjson.loads(out.splitlines()[-1]) == {"n": 7}
    assert f"no stack runs: opening {tmp_path / 'clickhouse'}" in err


def test_a_stack_that_is_starting_is_waited_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its lock is held and its addresses are not known yet: no other stack is asked, no engine stands in its way."""
    with folder_lock(folder, LOCK_NAME):
        for command in ("status", "sql 1"):
            assert main(command.split()) == 2
            assert f"the stack in {str(folder)!r} is starting or stopping" in capsys.readouterr().err
