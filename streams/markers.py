"""Phrases that mark what a turn does: the customer is annoyed, the agent refuses, hands off. Data, not logic.

English, German and Spanish. Each pattern is kept narrow: one that fires on ordinary politeness teaches wrong labels.
"""

from __future__ import annotations

import re
from functools import lru_cache

from streams.messages import folded


def _any(phrases: str) -> re.Pattern[str]:
    """One pattern for phrases, one a line."""
    return re.compile(
        r"\b(?:" + "|".join(line.strip() for line in phrases.strip().splitlines()) + r")\b", re.IGNORECASE
    )


class Phrases:
    """Phrases, one pattern a line, with their stems: in lower case, what a text that says any of them must hold one of.

    Plain search for stems is many times as fast as the patterns, and most texts hold none.
    """

    def __init__(self, stems: str, phrases: str) -> None:
        self.pattern = _any(phrases)
        self._stems = tuple(stems.split("|"))

    def are_in(self, text: str) -> bool:
        """Whether a text says any of them."""
        return any(map(folded(text).__contains__, self._stems)) and self.pattern.search(text) is not None


FRUSTRATION = Phrases(
    "ridic|unaccept|useless|frustr|terribl|awful|worst|absurd|insane|outrag|joke|fed up|waste of|already |how many|"
    "a human|a manager|a superv|unversch|inakzept|lächer|schon |inacept|ridíc|harto|harta|dije|dicho",
    r"""
    (?:ridiculous|unacceptable|useless|frustrat\w+|terrible|awful|worst)
    (?:this|that)(?:'s| is) (?:absurd|insane|outrageous|a joke)
    fed up
    waste of (?:my )?time
    already (?:told|said|gave|explained)
    how many times
    (?:speak|talk) (?:to|with) a (?:human|manager|supervisor)
    (?:unverschämt\w*|inakzeptabel|lächerlich|frustrier\w+)
    schon (?:zweimal|dreimal|mehrfach) gesagt
    (?:inaceptable|ridículo|frustra\w+|harto|harta)
    ya (?:te|le|se) (?:lo )?(?:dije|he dicho)
    """,
)

REFUSAL = Phrases(
    "can't|can\u2019t|cannot|not able|unable|t be able|t allowed|t permitted|t eligible|t possible|against |outside |"
    "nicht|leider|no pued|no pod|no es pos",
    r"""
    (?:i|we) (?:can(?:['\u2019]t|not)|(?:am|are) (?:not able|unable) to|(?:'m|'re) unable to|won'?t be able to) (?:help|assist|do that|provide|process|change|cancel|modify|offer|share|fulfil?l|refund|make|approve|remove|add|comply|proceed|issue|book|update|return|exchange|discuss|disclose|answer)
    (?:is|are)(?: not|n['\u2019]t) (?:allowed|permitted|eligible|possible)
    (?:against|outside) (?:our|my|the) (?:policy|scope)
    (?:das|dies|dabei|dazu) (?:kann|darf) ich (?:leider )?nicht
    leider (?:nicht möglich|kann ich)
    no (?:puedo|podemos) (?:ayudar|hacer|ofrecer|proporcionar|compartir|procesar|cambiar|cancelar)
    no es posible
    """,  # noqa: E501 - one phrase a line
)


@lru_cache(maxsize=1024)
def refuses(text: str) -> bool:
    """Whether an agent's text refuses what was asked; remembered, since scoring and two tasks ask for each text."""
    return REFUSAL.are_in(text)


HANDOFF_TOOL = re.compile(r"transfer|hand_?off|escalat|human_agent|live_agent", re.IGNORECASE)

FAREWELL = _any(
    r"""
    thank(?:s| you)
    that(?:'s| is) (?:all|everything)
    (?:good)?bye
    have a (?:great|good|nice) (?:day|one|evening)
    (?:danke\w*|tschüss|auf wiedersehen)
    (?:gracias|adiós|hasta luego)
    """
)

CONSENT = re.compile(
    r"\s*(?:yes|yeah|yep|sure|ok(?:ay)?|correct|confirmed?|please (?:proceed|do|go ahead)|go ahead|that works"
    r"|sounds good|no|nope|thanks?|thank you|great|perfect|ja|nein|gerne|danke|genau|sí|si|vale|gracias|claro)\b",
    re.IGNORECASE,
)
"""A turn that starts so answers the agent; it does not bring a wish of its own."""
