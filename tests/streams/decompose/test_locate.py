"""Values are found where they are said, and only there."""

from streams.decompose.locate import places


def test_separators_alone_tell_nothing() -> None:
    """A dash as an argument is not looked for: every text has some."""
    assert places("--", "Monday -- or Tuesday") == []
