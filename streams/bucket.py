"""Put an example into its bucket: functions of content only.

Bucket = task/label/difficulty/language/origin. Difficulty, version `DIFFICULTY`: points for what makes a task harder,
none = easy, one or two = medium, more = hard.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence

from schemas.ids import normalised
from schemas.messages import text_of
from schemas.records import Difficulty, Json, Message, Messages, Origin, Task
from streams.messages import count_words

DIFFICULTY = "difficulty-1"

_DIFFICULTIES: tuple[Difficulty, ...] = ("easy", "medium", "hard")


def difficulty(task: Task, context: Messages, target: Json) -> Difficulty:
    """How hard an example is: words to read, turns to take into account, parts to get right.

    A point for each step reached: of words in the last message (15, 30, 50; where the whole context is judged 20, 45),
    of messages of context (5; 9), of parts of the target (2 and 4 labels or spans, 2 and 5 arguments, 45 and 110 words
    to write).
    """
    n_words = count_words(text_of(context[-1])) if context else 0
    whole = task in ("response", "tools")
    reading = _steps(n_words, 20, 45) if whole else _steps(n_words, 15, 30, 50)
    points = reading + _steps(len(context), 9 if whole else 5) + _parts(task, target)
    return _DIFFICULTIES[min(2, (points + 1) // 2)]


def _parts(task: Task, target: Json) -> int:
    """Points for a composite target."""
    if task == "response":
        return _steps(count_words(str(target)), 45, 110)
    if task == "tools":
        arguments = target.get("arguments") if isinstance(target, dict) else None
        return _steps(len(arguments), 2, 5) if isinstance(arguments, dict) else 0
    n_parts = len(target) if isinstance(target, list) else 1
    return _steps(n_parts, 2, 4)


def _steps(value: int, *steps: int) -> int:
    return bisect_right(steps, value)


def version(decomposer: str) -> str:
    """What made an example, as stored with it: the rules that cut it and those that say how hard it is."""
    return f"{decomposer}+{DIFFICULTY}"


def bucket_name(task: Task, label: str, difficulty_: Difficulty, language: str, origin: Origin) -> str:
    """The cell in which coverage is counted; a slash in a label would look like another level."""
    return "/".join((task, label.replace("/", "|"), difficulty_, language, origin))


def input_hash(task: Task, context: Sequence[Message]) -> str:
    """Hash by which duplicates and leaks are found: of the judged text, or, where the context decides, of all of it."""
    judged = context if task in ("response", "tools") else context[-1:]
    words = [normalised(text_of(message)) for message in judged]
    return hashlib.sha256(" ".join(filter(None, words)).encode()).hexdigest()
