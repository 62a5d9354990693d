"""Content encodings of request and response bodies.

A compressed request may be several frames one after another (clickhouse-connect sends one per block):
each is unpacked, and a body that ends inside a frame is an error, never a shorter insert.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import lz4.frame
import zstandard

from still.embedded.clickhouse.errors import BodyError

_GZIP_BITS = 31
# Loopback is faster than any compressor: the lightest level that still shrinks text.
_LIGHT = 1


class _Unpacker(Protocol):
    """What zlib, lz4 and zstandard have in common for one frame."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class Packer(Protocol):
    """Compresses one response body."""

    def compress(self, data: bytes, /) -> bytes:
        """Takes the next piece; may give back nothing yet."""

    def flush(self) -> bytes:
        """Ends the body."""


class _Lz4Packer:
    """One lz4 frame; the frame's header goes out with the first piece."""

    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def compress(self, data: bytes, /) -> bytes:
        head = b"" if self._begun else self._frame.begin()
        self._begun = True
        return bytes(head + self._frame.compress(data))

    def flush(self) -> bytes:
        head = b"" if self._begun else self._frame.begin()
        return bytes(head + self._frame.flush())


_UNPACKERS: dict[str, Callable[[], _Unpacker]] = {
    "gzip": lambda: zlib.decompressobj(_GZIP_BITS),
    "deflate": zlib.decompressobj,
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
}
# In the order in which they are preferred where the client takes several.
_PACKERS: dict[str, Callable[[], Packer]] = {
    "lz4": _Lz4Packer,
    "zstd": lambda: zstandard.ZstdCompressor(level=_LIGHT).compressobj(),
    "gzip": lambda: zlib.compressobj(_LIGHT, wbits=_GZIP_BITS),
    "deflate": lambda: zlib.compressobj(_LIGHT),
}


def unpacked(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The body without its content encoding.

    Raises:
        BodyError: the encoding is unknown, the data is broken, or it ends inside a frame.
    """
    if encoding in {"", "identity"}:
        yield from pieces
        return
    if encoding not in _UNPACKERS:
        known = ", ".join(_UNPACKERS)
        raise _broken(f"Unknown Content-Encoding {encoding!r}, known are {known}", 89, "UNKNOWN_COMPRESSION_METHOD")
    unpacker: _Unpacker | None = None
    for piece in pieces:
        rest = piece
        while rest:
            unpacker = unpacker or _UNPACKERS[encoding]()
            try:
                data = unpacker.decompress(rest)
            except (zlib.error, zstandard.ZstdError, RuntimeError) as error:
                raise _broken(f"Cannot unpack the {encoding} body: {error}") from None
            if data:
                yield data
            rest = (unpacker.unused_data or b"") if unpacker.eof else b""
            unpacker = None if unpacker.eof else unpacker
    if unpacker is not None:
        raise _broken(f"The {encoding} body ends inside a frame")


def packer_for(accept_encoding: str) -> tuple[str, Packer] | None:
    """The best encoding that the client takes, or None for a plain body."""
    offered = {part.partition(";")[0].strip().lower() for part in accept_encoding.split(",")}
    name = next((name for name in _PACKERS if name in offered), None)
    return None if name is None else (name, _PACKERS[name]())


def _broken(what: str, code: int = 271, name: str = "CANNOT_DECOMPRESS") -> BodyError:
    return BodyError(code, f"DB::Exception: {what}. ({name})")
