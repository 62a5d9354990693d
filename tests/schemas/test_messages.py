"""What a chat message says."""

from schemas.messages import text_of


def test_text_is_content_or_its_text_parts_one_a_line() -> None:
    """Parts of other kinds, strange values and absent content say nothing."""
    parts = [{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {}}, {"text": 3}, "x", {"text": "two"}]
    assert text_of({"role": "user", "content": "one"}) == "one"
    assert text_of({"role": "user", "content": parts}) == "one\ntwo"
    assert text_of({"role": "assistant", "content": None}) == text_of({"role": "assistant"}) == ""
