"""Reading a request's body piece by piece, whole or not at all.

A body that ends early (the client died) raises, so that an insert in progress is cancelled.
"""

from collections.abc import Iterator
from io import BufferedIOBase

from still.embedded.clickhouse.errors import BodyError

_PIECE = 1 << 20
_LONGEST_LINE = 1 << 12


class Body:
    """The raw bytes of one request's body; read at most once."""

    def __init__(self, source: BufferedIOBase, content_length: str | None, transfer_encoding: str) -> None:
        self._source = source
        self._chunked = "chunked" in transfer_encoding.lower()
        self._length = _length_of(content_length)
        self.is_consumed = not self._chunked and self._length == 0

    def pieces(self) -> Iterator[bytes]:
        """The body in pieces of up to 1 MiB.

        Raises:
            BodyError: it ends early or its chunks are malformed.
        """
        yield from self._chunks() if self._chunked else self._measured(self._length)
        self.is_consumed = True

    def _measured(self, length: int) -> Iterator[bytes]:
        while length > 0:
            piece = self._source.read(min(length, _PIECE))
            if not piece:
                raise BodyError(3, f"DB::Exception: The body ended {length} bytes early. (UNEXPECTED_END_OF_FILE)")
            length -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while length := self._chunk_length():
            yield from self._measured(length)
            self._line()
        while self._line().strip():  # trailers
            pass

    def _chunk_length(self) -> int:
        line = self._line()
        try:
            return int(line.partition(b";")[0], 16)
        except ValueError:
            raise BodyError(3, f"DB::Exception: Bad chunk header {line[:40]!r}. (UNEXPECTED_END_OF_FILE)") from None

    def _line(self) -> bytes:
        line = self._source.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise BodyError(3, "DB::Exception: The chunked body ended early. (UNEXPECTED_END_OF_FILE)")
        return line


def _length_of(content_length: str | None) -> int:
    try:
        length = int(content_length or 0)
    except ValueError:
        length = -1
    if length < 0:
        raise BodyError(381, f"DB::Exception: Bad Content-Length {content_length!r}. (HTTP_LENGTH_REQUIRED)")
    return length
