"""Recall and precision of the patterns on public synthetic sentences: floors below which a change is a fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.redact.patterns import find

FILE = Path(__file__).parents[4] / "shared/data/presidio/generated_large.json"
FLOORS = {
    "EMAIL_ADDRESS": 0.99,
    "CREDIT_CARD": 0.99,
    "US_SSN": 0.99,
    "IP_ADDRESS": 0.99,
    "IBAN_CODE": 0.99,
    "PHONE_NUMBER": 0.95,
}


@pytest.mark.shared_data
@pytest.mark.skipif(not FILE.exists(), reason="the public data sets do not lie beside the checkout")
@pytest.mark.parametrize("kind", FLOORS)
def test_recall_of_what_form_alone_tells(kind: str) -> None:
    """Values with a check digit or a telling form are found."""
    found, total = 0, 0
    for sentence in json.loads(FILE.read_text(encoding="utf-8")):
        places = find(sentence["full_text"])
        for span in (span for span in sentence["spans"] if span["entity_type"] == kind):
            total += 1
            found += any(p.start <= span["start_position"] and span["end_position"] <= p.end for p in places)
    assert found / total >= FLOORS[kind]
