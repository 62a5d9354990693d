"""What is used of chDB, typed: its own annotations are partial, and know no bytes where it takes them."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast

import chdb


class Result(Protocol):
    """What a statement, or one block of a streamed query, came to."""

    def bytes(self) -> bytes:
        """The rows in the format that was asked for."""

    def rows_read(self) -> int:
        """Rows that the statement read."""

    def bytes_read(self) -> int:
        """Bytes that the statement read."""

    def rows_written(self) -> int:
        """Rows that the statement wrote."""

    def bytes_written(self) -> int:
        """Bytes that the statement wrote."""


class Blocks(Protocol):
    """A running query's blocks."""

    def __iter__(self) -> Iterator[Result]: ...

    def close(self) -> None:
        """Cancels what is left of the query."""


class Connection(Protocol):
    """One connection to the engine of this process; for one statement at a time, from any thread."""

    def query(self, query: bytes | str, format: str, params: dict[str, str] | None = None) -> Result:  # noqa: A002
        """Runs a statement to its end."""

    def send_query(self, query: bytes, format: str, params: dict[str, str]) -> Blocks:  # noqa: A002
        """Starts a query that gives rows."""

    def close(self) -> None:
        """Frees the connection; the engine closes with its last one."""


def connect(address: str) -> Connection:
    """Opens a connection to the engine on the folder `address`, and the engine with the first one."""
    # By this name it is the same to mypy whether it has annotations: two packages bring the file, and either may win.
    opened: Callable[[str], Any] = chdb.connect
    return cast("Connection", opened(address))
