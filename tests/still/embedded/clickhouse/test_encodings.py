"""Content encodings, several frames in any cut."""

import gzip
import zlib

import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from still.embedded.clickhouse.encodings import packer_for, unpacked
from still.embedded.clickhouse.errors import BodyError

COMPRESS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "": bytes,
}
encodings = st.sampled_from(sorted(COMPRESS))


@given(encodings, st.lists(st.binary(max_size=200), max_size=5), st.integers(1, 64))
def test_concatenated_frames_come_out_whole(encoding: str, frames: list[bytes], cut: int) -> None:
    """However many frames a body has and wherever it is cut, all of its bytes come out in order."""
    body = b"".join(COMPRESS[encoding](frame) for frame in frames)
    pieces = [body[i : i + cut] for i in range(0, len(body), cut)]
    assert b"".join(unpacked(pieces, encoding)) == b"".join(frames)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "lz4", "zstd"])
def test_a_body_cut_inside_a_frame_is_an_error(encoding: str) -> None:
    """A body that ends early is never taken for a shorter one."""
    body = COMPRESS[encoding](b"one") + COMPRESS[encoding](b"two" * 100)[:-3]
    with pytest.raises(BodyError, match=r"ends inside a frame|Cannot unpack"):
        list(unpacked([body], encoding))


def test_unknown_encoding_and_garbage_are_named() -> None:
    """The error says which encoding, and which are known."""
    with pytest.raises(BodyError, match=r"'snappy'.*lz4"):
        list(unpacked([b"x"], "snappy"))
    with pytest.raises(BodyError, match="Cannot unpack the zstd body"):
        list(unpacked([b"not zstd at all"], "zstd"))


@given(encodings.filter(bool), st.lists(st.binary(max_size=500), max_size=5))
def test_packed_responses_unpack(encoding: str, pieces: list[bytes]) -> None:
    """What a packer makes, the same encoding's unpacker reads."""
    found = packer_for(f"snappy;q=1, {encoding}")
    assert found is not None
    name, packer = found
    packed = b"".join(packer.compress(piece) for piece in pieces) + packer.flush()
    assert (name, b"".join(unpacked([packed], encoding))) == (encoding, b"".join(pieces))


def test_no_common_encoding_means_a_plain_body() -> None:
    """An empty or foreign Accept-Encoding is answered uncompressed."""
    assert packer_for("") is None
    assert packer_for("snappy") is None
