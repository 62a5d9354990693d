"""Which language a text is in: by its function words, or its script; `und` when unsure. No model, no dependency.

A text needs `MIN_HITS` function words, and one language clearly more of them than any other. Function words are the
most frequent words of a language, and the classic cheap identifier of short texts (Grefenstette 1995).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict

UNKNOWN = "und"
MAX_CHARS = 2000
MIN_HITS = 2
MARGIN = 1.3
"""How many times more often the winner's words must occur than the runner-up's."""

_WORDS = {
    "en": "the and you for that this with have your my can not was are please would need want what how is it to of in "
    "on i'd i'm don't will me from an be do if or but i we they there thanks thank hi hello help could been has order",
    "de": "der die das und ich nicht ist ein eine mit auf für zu den von sie bitte wie was kann mein meine habe haben "
    "es im dem mir wir auch noch hallo danke möchte ihre ihnen wurde aber bei oder wenn werden bestellung",
    "es": "el la los las que de y en un una por con para no es mi su lo me se del al como más pero quiero puede hola "
    "gracias favor tengo está mis usted necesito he ha pedido si cuando quisiera",
    "fr": "le la les et je vous que de un une pour pas est dans mon ma avec ce sur ne en du des au bonjour merci votre "
    "suis puis avez j'ai s'il plaît commande nous mais plus cette",
    "it": "il lo la gli che di e un una per non è mi con sono ho del della mio mia vorrei grazie ciao posso ordine "
    "questo come anche ma nel al",
    "pt": "o os as que de e um uma para não é com meu minha por em do da no na eu você obrigado olá quero pedido mais "
    "como mas tenho está foi",
    "nl": "de het een en ik niet is dat van voor met op mijn zijn u je kan heb aan wat hoe bedankt hallo graag "
    "bestelling maar ook naar te wil",
}
_OWNERS: dict[str, tuple[str, ...]] = {
    word: tuple(language for language, words in _WORDS.items() if word in words.split())
    for word in {word for words in _WORDS.values() for word in words.split()}
}
_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_PLAIN_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?")
"""The same in lower-case ASCII, in half the time."""

_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
)
_OTHER_SCRIPT = re.compile("|".join(script.pattern for _, script in _SCRIPTS))


def detect(text: str) -> str:
    """ISO 639-1 code of the language of a text, or `und`."""
    head = text[:MAX_CHARS]
    if _OTHER_SCRIPT.search(head) and (by_script := _by_script(head)):
        return by_script
    lowered = head.replace("\u2019", "'").lower()
    words = (_PLAIN_TOKEN if lowered.isascii() else _TOKEN).findall(lowered)
    hits: defaultdict[str, float] = defaultdict(float)
    for word, count in Counter(filter(_OWNERS.__contains__, words)).items():
        owners = _OWNERS[word]
        for language in owners:
            hits[language] += count / len(owners)
    return _winner(hits)


def _winner(hits: dict[str, float]) -> str:
    ranked = [*sorted(hits.items(), key=lambda pair: (-pair[1], pair[0])), (UNKNOWN, 0.0)]
    if not hits or ranked[0][1] < MIN_HITS or ranked[0][1] < MARGIN * ranked[1][1]:
        return UNKNOWN
    return ranked[0][0]


def _by_script(text: str) -> str | None:
    """Texts of another script than Latin name their language by it, where that script dominates."""
    for language, script in _SCRIPTS:
        n_here = len(script.findall(text))
        if n_here and 5 * n_here > 2 * sum(map(str.isalpha, text)):
            return language
    return None
