"""Why no stock form of Faust consumes here: an effect that fails once is lost with each of them, and not with ours."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.exits import FAIL_STOP
from still.embedded.stack import Stack
from tests.crash.faust_process import FAILS_AT, OURS, STOCK
from tests.streams.log import eventually, write

RECORDS = 200
WITHIN_S = 120.0
ALL = {str(number).encode() for number in range(RECORDS)}


@pytest.fixture(name="prefix")
def _prefix(stack: Stack, topic_prefix: str) -> str:
    """A topic of one partition for each form, with the same records."""
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers, "log_level": 0})
    for made in admin.create_topics([NewTopic(topic_prefix + form, 1, 1) for form in (*STOCK, OURS)]).values():
        made.result()
    for form in (*STOCK, OURS):
        write(stack.bootstrap_servers, topic_prefix + form, [(b"k", str(number).encode()) for number in range(RECORDS)])
    return topic_prefix


def start(forms: str, stack: Stack, prefix: str, folder: Path) -> subprocess.Popen[bytes]:
    """A process that consumes in these forms."""
    with (folder / f"{forms}.log").open("ab") as log:
        argv = [sys.executable, "-m", "tests.crash.faust_process", forms, stack.bootstrap_servers, prefix, str(folder)]
        return subprocess.Popen(argv, stderr=log, stdout=log)


def effects(folder: Path, form: str) -> Counter[bytes]:
    """What took effect, and how often."""
    file = folder / f"{form}.effects"
    return Counter(file.read_bytes().splitlines() if file.exists() else [])


def committed(stack: Stack, group: str, topic: str) -> int:
    """The offset from which the group would read on."""
    consumer = Consumer({"bootstrap.servers": stack.bootstrap_servers, "group.id": group, "enable.auto.commit": False})
    (found,) = consumer.committed([TopicPartition(topic, 0)], timeout=30)
    consumer.close()
    return int(found.offset)


@pytest.mark.timeout(600)
def test_stock_forms_lose_what_failed_and_ours_does_not(stack: Stack, prefix: str, tmp_path: Path) -> None:
    """The first record fails once: stock forms commit past it and never have its effect; ours has it, later."""

    def is_past(form: str) -> bool:
        return committed(stack, f"{prefix}stock", prefix + form) > int(FAILS_AT)

    worker = start("stock", stack, prefix, tmp_path)
    try:
        eventually(lambda: all(is_past(form) for form in STOCK), WITHIN_S, "commits past the record that failed")
    finally:
        worker.kill()  # asked to stop, it may wait for ever for the record that nobody acknowledges
        worker.wait()
    assert [form for form in STOCK if FAILS_AT in effects(tmp_path, form)] == []

    assert start("ours", stack, prefix, tmp_path).wait(WITHIN_S) == FAIL_STOP
    assert committed(stack, f"{prefix}ours", prefix + OURS) <= int(FAILS_AT)
    worker = start("ours", stack, prefix, tmp_path)
    eventually(lambda: set(effects(tmp_path, OURS)) == ALL, WITHIN_S, "every effect of ours")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(WITHIN_S) == 0
