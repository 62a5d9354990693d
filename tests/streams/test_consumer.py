"""The consumer over a fetcher that is a list: what an acknowledgement may move, and what a hole in a fetch does."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import faust
import pytest
from faust.types import TP
from structlog.testing import capture_logs

from streams.consumer import ChunkConsumer, ChunkTransport
from streams.errors import LogWentBack
from streams.gauges import Place
from tests.streams.test_chunk import Record

HERE = TP("t", 0)


class ListConsumer(ChunkConsumer):
    """The real consumer whose broker is a list of fetches; seeks and what reaches the agents are noted."""

    def __init__(self, transport: Any) -> None:
        super().__init__(transport, self._take, _nothing, _nothing)
        self.fetches: list[list[int]] = []
        self.seeks: list[int] = []
        self.taken: list[Any] = []
        self.lowest = 0
        self.resume_flow()

    async def _take(self, message: Any) -> None:
        self.taken.append(message)

    def assignment(self) -> set[TP]:
        """One partition."""
        return {HERE}

    def highwater(self, tp: TP) -> int:
        """As far as anybody asks."""
        return 100 + tp.partition

    async def seek_wait(self, partitions: Any) -> None:
        """Note where to."""
        self.seeks += partitions.values()

    async def _lowest(self, tp: TP) -> int:
        return self.lowest + tp.partition

    def close(self) -> None:
        """Faust's thread around aiokafka makes its loop before it starts; here it never does."""
        cast("Any", self._thread).thread_loop.close()

    async def _getmany(self, *_: Any) -> dict[TP, list[Record]]:
        return {HERE: [Record(offset, b"v") for offset in self.fetches.pop(0)]}


async def _nothing(*_: Any) -> None:
    """A rebalance of which nobody wants to hear."""


def consumer(folder: Path) -> ListConsumer:
    """A consumer that has offsets from 0 on to read."""
    app = faust.App("tests", broker="kafka://nowhere", datadir=folder, store="memory://", web_enabled=False)
    made = ListConsumer(ChunkTransport(app.conf.broker_consumer, app))
    made._set_active_tps({HERE})
    made._expected = {HERE: 0}
    made._gauges.hold({Place(*HERE): 0})
    return made


async def _read(made: ListConsumer, *fetches: list[int]) -> list[list[int]]:
    made.fetches += fetches
    for _ in fetches:
        await made._fetch_and_hand_over()
    return [[one.offset for one in message.value.arrived] for message in made.taken]


def test_an_acknowledgement_of_an_earlier_session_moves_nothing(tmp_path: Path) -> None:
    """The successor holds an open chunk of the same end: only its own acknowledgement makes that committable."""

    async def scene() -> None:
        with closing(consumer(tmp_path)) as made:
            await _read(made, [0, 1])
            (before,) = made.taken
            made.app.consumer_generation_id += 1
            made._watermarks.clear()
            made._expected = {HERE: 0}
            await _read(made, [0, 1])
            assert not made.ack(before)
            assert made._new_offset(HERE) is None
            assert made.ack(made.taken[1])
            assert made._new_offset(HERE) == 2

    asyncio.run(scene())


@pytest.mark.parametrize("lowest", [0, 7])
def test_a_hole_is_sought_back_once_and_a_loss_is_told(tmp_path: Path, lowest: int) -> None:
    """Nothing behind it reaches an agent before its place was asked for again; only what retention took is told."""

    async def scene() -> None:
        with closing(consumer(tmp_path)) as made:
            assert await _read(made, [0, 1], [5, 6]) == [[0, 1]]
            assert made.seeks == [2]
            assert await _read(made, [2, 3, 4]) == [[0, 1], [2, 3, 4]]
            assert await _read(made, [9]) == [[0, 1], [2, 3, 4]]
            assert made.seeks == [2, 5]
            made.lowest = lowest
            with capture_logs() as said:
                assert (await _read(made, [9]))[-1] == [9]
            told = [(one["event"], one["first"], one["end"]) for one in said]
            assert told == ([("records_gone", 5, 9)] if lowest else [])

    asyncio.run(scene())


def test_a_log_that_goes_back_is_refused(tmp_path: Path) -> None:
    """After one seek offsets below what is expected mean another log."""

    async def scene() -> None:
        with closing(consumer(tmp_path)) as made:
            await _read(made, [0, 1, 2], [1])
            assert made.seeks == [3]
            with pytest.raises(LogWentBack, match="gives offset 1 for 3"):
                await _read(made, [1])

    asyncio.run(scene())
