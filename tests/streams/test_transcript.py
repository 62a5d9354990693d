"""What a transcript reads out of messages."""

import pytest

from streams.transcript import read
from tests.streams.conversations import agent, conversation, customer, result


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        ("Error: no such user", True),
        ('{"error": "no such user"}', True),
        ('{"error": null}', False),
        ('{"success": false, "message": "not found"}', True),
        ('{"success" : true}', False),
        ('{"status": "failed"}', True),
        ('{"status":"error"}', True),
        ('{"status": "pending"}', False),
        ('{"payments": [{"status": "failed"}], "flights": [{"success": false}]}', False),
        ('{"note": "it failed"}', False),
        ('{"success": false', False),
        ('["error"]', False),
    ],
)
def test_a_call_failed_where_its_answer_says_so(answer: str, failed: bool) -> None:
    """By its first words or by the object itself, not by what lies deeper in it."""
    (call,) = read(conversation(customer("x"), agent(None, find={}), result("find", answer))).calls
    assert (call.result, call.failed) == (answer, failed)
