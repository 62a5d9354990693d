"""Phrases that mark what a turn does: the customer is annoyed, the agent refuses, hands off. Data, not logic.

English, German and Spanish. Each pattern is kept narrow: one that fires on ordinary politeness teaches wrong labels.
"""

from __future__ import annotations

import re
from functools import lru_cache


def _any(phrases: str) -> re.Pattern[str]:
    """One pattern for phrases, one a line."""
    return re.compile(
        r"\b(?:" + "|".join(line.strip() for line in phrases.strip().splitlines()) + r")\b", re.IGNORECASE
    )


FRUSTRATION = _any(
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
    """
)

REFUSAL = _any(
    r"""
    (?:i|we) (?:can(?:['\u2019]t|not)|(?:am|are) (?:not able|unable) to|(?:'m|'re) unable to|won'?t be able to) (?:help|assist|do that|provide|process|change|cancel|modify|offer|share|fulfil?l|refund|make|approve|remove|add|comply|proceed|issue|book|update|return|exchange|discuss|disclose|answer)
    (?:is|are)(?: not|n['\u2019]t) (?:allowed|permitted|eligible|possible)
    (?:against|outside) (?:our|my|the) (?:policy|scope)
    (?:das|dies|dabei|dazu) (?:kann|darf) ich (?:leider )?nicht
    leider (?:nicht möglich|kann ich)
    no (?:puedo|podemos) (?:ayudar|hacer|ofrecer|proporcionar|compartir|procesar|cambiar|cancelar)
    no es posible
    """  # noqa: E501 - one phrase a line
)

_MAY_REFUSE = re.compile(r"n['\u2019]t\b|cannot|unable|not [aep]|policy|scope|nicht|leider|no [pe]")
"""A cheap gate: what lacks all of these refuses nothing."""


@lru_cache(maxsize=1024)
def refuses(text: str) -> bool:
    """Whether an agent's text refuses what was asked; remembered, since scoring and two tasks ask for each text."""
    lowered = text.lower()
    return _MAY_REFUSE.search(lowered) is not None and REFUSAL.search(lowered) is not None


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
