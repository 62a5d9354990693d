"""Languages by function words and script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.language import _OTHER_SCRIPT, _PLAIN_TOKEN, _TOKEN, _by_script, detect


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I would like to cancel my order, please.", "en"),
        ("I\u2019d like to know where my parcel is and what to do", "en"),
        ("Ich möchte meine Bestellung stornieren, können Sie mir bitte helfen?", "de"),
        ("Hola, quiero cancelar mi pedido por favor", "es"),
        ("Bonjour, je voudrais annuler ma commande s'il vous plaît", "fr"),
        ("Vorrei annullare il mio ordine, grazie", "it"),
        ("Olá, quero cancelar o meu pedido, obrigado", "pt"),
        ("Hallo, ik wil graag mijn bestelling annuleren", "nl"),
        ("注文をキャンセルしたいです", "ja"),
        ("Я хочу отменить заказ", "ru"),
        ("#W2378156", "und"),
        ("ok", "und"),
        ("", "und"),
    ],
)
def test_language_of_short_texts(text: str, language: str) -> None:
    """A sentence tells its language; an id or a single word does not."""
    assert detect(text) == language


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_plain_words_are_words(text: str) -> None:
    """The short way of ASCII texts cuts the words that the way of all texts cuts."""
    assert _PLAIN_TOKEN.findall(text.lower()) == _TOKEN.findall(text.lower())


@given(st.text(alphabet=st.characters(categories=["Lo", "Ll", "Nd"])))
def test_no_script_is_passed_over(text: str) -> None:
    """What holds no letter of another script is not of one."""
    if not _OTHER_SCRIPT.search(text):
        assert _by_script(text) is None
