"""Redaction of whole conversations: what goes, what stays, and that both sides of a value agree."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Feedback, Outcome, Provenance
from streams.redact import redact, redact_text
from streams.redact.checks import passes_iban, passes_luhn
from streams.settings import RedactSettings
from streams.values import Draft

SETTINGS = RedactSettings(b"a key for tests only, 32 bytes..")
PERSONAL = {"Mia", "Li", "mia.li3818@example.org", "mia_li_3668", "975 Sunset", "78750", "1990-04-05", "April 5, 1990"}
PROFILE = {
    "name": {"first_name": "Mia", "last_name": "Li"},
    "address": {"address1": "975 Sunset Drive", "city": "Austin", "zip": "78750"},
    "email": "mia.li3818@example.org",
    "dob": "1990-04-05",
    "items": [{"name": "Hiking Boots", "product_id": "7363354090"}],
}


def draft(*messages: dict[str, Any], **fields: Any) -> Draft:
    """A draft of these messages."""
    return Draft("c1", 1, Provenance("k", "conversation.events", 0, 7), list(messages), "closed", 1, **fields)


def call(name: str, arguments: str) -> dict[str, Any]:
    """An agent's tool call."""
    function = {"name": name, "arguments": arguments}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": function}]}


CONTACT = draft(
    {"role": "user", "content": "Hi, my user ID is mia_li_3668, mia.li3818@example.org, born April 5, 1990."},
    call("get_user_details", '{"user_id": "mia_li_3668"}'),
    {"role": "tool", "tool_call_id": "1", "content": json.dumps(PROFILE)},
    {"role": "assistant", "content": "Thank you, Mia. Order #W2378156 goes to 975 Sunset Drive, Austin 78750?"},
    {"role": "user", "content": "Yes, MIA LI. Mia's order. I fly from MIA to JFK."},
    customer_id="mia_li_3668",
    feedback=(Feedback("comment", "comment", "Mia Li says thanks"),),
    outcome=Outcome(reason="called mia.li3818@example.org"),
    metadata={"contact_email": "mia.li3818@example.org", "domain": "retail"},
)


def test_nothing_personal_is_left() -> None:
    """No value that the conversation names as personal remains anywhere in it."""
    made = repr(redact(CONTACT, SETTINGS))
    assert [value for value in PERSONAL if value in made.replace("MIA to JFK", "")] == []
    assert "retail" in made


def test_business_stays() -> None:
    """Order numbers, products, cities, airports and the shape of the talk are not personal."""
    made = repr(redact(CONTACT, SETTINGS).messages)
    for value in ("#W2378156", "Hiking Boots", "7363354090", "Austin", "from MIA to JFK", "Drive"):
        assert value in made


def test_text_and_tool_arguments_agree() -> None:
    """One value has one surrogate, in words, in arguments and in results."""
    conversation = redact(CONTACT, SETTINGS)
    user_id = json.loads(conversation.messages[1]["tool_calls"][0]["function"]["arguments"])["user_id"]
    profile = json.loads(conversation.messages[2]["content"])
    assert user_id in conversation.messages[0]["content"]
    assert profile["email"] in conversation.messages[0]["content"]
    assert f"Thank you, {profile['name']['first_name']}." in conversation.messages[3]["content"]
    assert profile["address"]["zip"] in conversation.messages[3]["content"]
    assert profile["email"].endswith("@example.com")


def test_customer_becomes_a_keyed_hash() -> None:
    """The customer id leaves only as a hash that depends on the key."""
    other = RedactSettings(b"another key for tests, 32 bytes.")
    hashes = {redact(CONTACT, settings).customer_hash for settings in (SETTINGS, SETTINGS, other)}
    assert len(hashes) == 2


def test_surrogates_are_stable_across_conversations() -> None:
    """The same customer looks the same in every conversation."""
    texts = [
        redact(draft({"role": "user", "content": f"{n}: a.b@corp.com"}), SETTINGS).messages[0]["content"] for n in "12"
    ]
    assert texts[0][3:] == texts[1][3:]


def test_numbers_keep_their_check_digits_and_format() -> None:
    """Cards pass Luhn, IBANs pass mod 97, separators stay where they were."""
    text = "Card 4111 1111 1111 1111, IBAN DE89 3704 0044 0532 0130 00, SSN 123-45-6789, +49 30 1234567, 10.20.30.40"
    made, _ = redact_text(text, [], SETTINGS)
    card, iban = made[5:24], made[31:58]
    assert passes_luhn(card.replace(" ", ""))
    assert passes_iban(iban.replace(" ", ""))
    assert [char for char in made if not char.isalnum()] == [char for char in text if not char.isalnum()]
    assert not any(secret in made for secret in ("1111 1111", "3704", "123-45", "1234567", "10.20"))


@pytest.mark.parametrize(
    "uuid",
    [
        "21515dac-ff27-4f5a-89fb-8aead81e504b",
        "bc22e153-490a-4757-a926-91a2732e706b",
        "chatcmpl-tool-ce303861d998499b99b4a5e53aec1bb0",
    ],
)
def test_technical_ids_are_no_ibans(uuid: str) -> None:
    """A UUID whose digits happen to pass the check of an IBAN stays."""
    assert redact_text(f"request {uuid} failed", [], SETTINGS)[0] == f"request {uuid} failed"


def test_invalid_json_in_tool_arguments_is_rewritten_as_text() -> None:
    """Arguments that are no JSON stay as they are, but for what is personal."""
    conversation = redact(
        draft({"role": "user", "content": "hi"}, call("find", '{"email": "a.b@corp.com", ')), SETTINGS
    )
    arguments = conversation.messages[1]["tool_calls"][0]["function"]["arguments"]
    assert arguments.startswith('{"email": "')
    assert "corp.com" not in arguments


def test_json_within_json_is_reached() -> None:
    """A JSON text inside a JSON value is rewritten too, and is still JSON."""
    arguments = json.dumps({"payload": json.dumps({"phone": "415-555-2671", "n": 3})})
    conversation = redact(draft(call("post", arguments)), SETTINGS)
    inner = json.loads(json.loads(conversation.messages[0]["tool_calls"][0]["function"]["arguments"])["payload"])
    assert inner["n"] == 3
    assert inner["phone"] != "415-555-2671"


def test_untouched_json_is_left_verbatim() -> None:
    """Where nothing is personal, not a space changes."""
    arguments = '{"order_id":   "#W1", "total": 1e3, "big": 123456789012345678901234567890}'
    conversation = redact(draft(call("get", arguments)), SETTINGS)
    assert conversation.messages[0]["tool_calls"][0]["function"]["arguments"] == arguments


def test_entity_spans_follow_their_words() -> None:
    """A labelled span covers the surrogate of what it covered."""
    text = "Mail a.very.long.address@corp.com for order W12 please"
    spans = [
        {"start": text.index(w), "end": text.index(w) + len(w), "label": w}
        for w in ("a.very.long.address@corp.com", "W12")
    ]
    label = {"task": "entities", "message": 0, "target": spans}
    conversation = redact(draft({"role": "user", "content": text}, labels=[label]), SETTINGS)
    made = conversation.messages[0]["content"]
    words = [made[span["start"] : span["end"]] for span in conversation.labels[0]["target"]]
    assert words[0].endswith("@example.com")
    assert words[1] == "W12"


WORDS = st.sampled_from(
    ["Hi", "my", "a.b@corp.com", "4111111111111111", "order", "W12", "415-555-2671", "at", "10.1.2.3", "ok."]
)


@given(st.lists(WORDS, min_size=1, max_size=12), st.data())
def test_span_on_a_kept_word_stays_on_it(words: list[str], data: st.DataObject) -> None:
    """Wherever personal data moves the text, a span on a word that stays still covers that word."""
    index = data.draw(st.integers(0, len(words) - 1))
    start = len(" ".join([*words[:index], ""]))
    made, [(left, right)] = redact_text(" ".join(words), [(start, start + len(words[index]))], SETTINGS)
    kept = words[index] in ("Hi", "my", "order", "W12", "at", "ok.")
    assert (made[left:right] == words[index]) == kept
    assert len(made.split(" ")) == len(words)


KEYS = st.sampled_from("name email zip phone address ssn iban card_number ip dob user_id first_name x".split())
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.emails()
    | st.from_regex(r"[0-9a-zA-Z +.-]{1,20}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_tool_arguments_stay_json_of_the_same_shape(value: Any) -> None:
    """Whatever tools are given, redaction returns JSON with the same keys and the same types."""
    conversation = redact(draft(call("t", json.dumps(value))), SETTINGS)
    made = json.loads(conversation.messages[0]["tool_calls"][0]["function"]["arguments"])
    assert _shape(made) == _shape(value)


@given(st.text(max_size=80), st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80)), max_size=3))
def test_any_text_is_taken(text: str, pairs: list[tuple[int, int]]) -> None:
    """No text makes it fail, and spans stay inside the text."""
    spans = [(min(a, b, len(text)), min(max(a, b), len(text))) for a, b in pairs]
    made, moved = redact_text(text, spans, SETTINGS)
    assert all(0 <= start <= end <= len(made) for start, end in moved)


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shape(inner) for inner in value]
    return type(value)
