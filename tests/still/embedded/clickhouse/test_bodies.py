"""Request bodies, measured and chunked, whole or an error."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from still.embedded.clickhouse.bodies import Body
from still.embedded.clickhouse.errors import BodyError


@given(st.lists(st.binary(min_size=1, max_size=100), max_size=5))
def test_chunks_come_out_whole(chunks: list[bytes]) -> None:
    """Any chunking gives the same body, and stops where it ends."""
    wire = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\nNEXT"
    source = io.BytesIO(wire)
    body = Body(source, None, "chunked")
    assert b"".join(body.pieces()) == b"".join(chunks)
    assert (body.is_consumed, source.read()) == (True, b"NEXT")


@pytest.mark.parametrize("wire", [b"", b"5\r\nab", b"5\r\nabcde\r\n", b"zz\r\n", b"-1\r\n"])
def test_an_early_end_of_a_chunked_body_is_an_error(wire: bytes) -> None:
    """A client that died in the middle has sent no complete body."""
    body = Body(io.BytesIO(wire), None, "chunked")
    with pytest.raises(BodyError):
        list(body.pieces())
    assert not body.is_consumed


def test_an_early_end_of_a_measured_body_is_an_error() -> None:
    """Content-Length is a promise."""
    with pytest.raises(BodyError, match="3 bytes early"):
        list(Body(io.BytesIO(b"ab"), "5", "").pieces())
    with pytest.raises(BodyError, match="'x'"):
        Body(io.BytesIO(b""), "x", "")
