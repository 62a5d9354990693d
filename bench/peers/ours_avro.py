"""Ours with our own records: decode, check as stage assemble checks, note refusals, encode again, write."""

from __future__ import annotations

from bench.peers.ours import TransitStage, run
from bench.peers.work import job
from schemas import codec
from schemas.ceiling import Limits
from streams.chunk import Chunk
from streams.deliver import Outgoing
from streams.receive import receive
from streams.stage import Log, Refusals, Refused
from streams.values import Rejected


class AvroStage(TransitStage):
    """Every event through our codec and the edge's checks; what they refuse goes to the dead letters."""

    name = "avro"

    def __init__(self, log: Log, source: str, target: str) -> None:
        super().__init__(log, source, target)
        self._refusals = Refusals(log, source, Limits())

    def settle(self, chunk: Chunk) -> None:
        """Read, check, write to the partition it came from."""
        refused: list[Refused] = []
        out: list[Outgoing] = []
        for arrived in chunk.arrived:
            received = receive(arrived)
            if isinstance(received, Rejected):
                refused.append((arrived, received))
            else:
                out.append(Outgoing(self._target, chunk.partition, arrived.key, codec.encode(received.event)))
        self._log.delivery.confirm([*self._refusals.letters(chunk, refused), *out])


if __name__ == "__main__":
    run(job(), AvroStage)
