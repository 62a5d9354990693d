"""What a sink shows of itself."""

import time

from sinks.signals import LONGEST_INSERT_S, Signals


def test_a_block_that_does_not_land_keeps_the_sink_from_its_work() -> None:
    """Not at once, but after half a minute, by the name of its topic."""
    signals = Signals()
    signals.inserting["scores"] = time.monotonic()
    assert signals.stuck() is None
    signals.inserting["examples"] = time.monotonic() - LONGEST_INSERT_S - 1
    assert "a block of examples for 31 s" in str(signals.stuck())
