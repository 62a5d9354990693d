"""How a contact goes: which moves customer and agent make, and what goes wrong on purpose.

The flaws are those that production shows: a wrong tool, a question asked over and over, a tool that stays down,
an answer that helps nobody. A flawed contact ends without success, so that scores have something to tell apart.
"""

from __future__ import annotations

import random
from bisect import bisect

from schemas.records import Feedback, Outcome
from streams.simulate.dialogue import Contact, Dialogue
from streams.simulate.grammar import Choice
from streams.simulate.people import Customer
from streams.simulate.settings import SimulateSettings
from streams.simulate.shop import Scenario, Teacher, shop

FLAWS = ("wrong_tool", "loop", "unresolved", "useless")
DIALOGUE_ACTS = ("provide_details", "thanks", "dissatisfaction", "out_of_scope")
"""Intents of turns that no tool serves."""

_HOSTILE = ("harassment", "threat")


def hold(settings: SimulateSettings, customer: Customer, number: int, rng: random.Random) -> Contact:
    """The whole contact of that number; depends on its arguments only."""
    teacher = _teacher(rng)
    started_us = settings.start_us + int((number + rng.random()) * settings.seconds_between * 1e6)
    contact = Contact(number=number, customer=customer, teacher=teacher, started_us=started_us)
    dialogue = Dialogue(contact, rng)
    kind = rng.random()
    if kind < settings.unsafe_share:
        _unsafe(dialogue)
    elif kind < settings.unsafe_share + settings.out_of_scope_share:
        _off_topic(dialogue)
    else:
        bad_share = teacher.bad_share if settings.bad_share is None else settings.bad_share
        _business(dialogue, _intent(rng), FLAWS[rng.randrange(len(FLAWS))] if rng.random() < bad_share else None)
    _end(dialogue)
    return contact


def _teacher(rng: random.Random) -> Teacher:
    roll = rng.random()
    for teacher in shop().teachers:
        roll -= teacher.share
        if roll < 0:
            return teacher
    return shop().teachers[-1]


def _intent(rng: random.Random) -> str:
    weights = shop().weights
    return shop().intents[bisect(weights, rng.random() * weights[-1])]


def _unsafe(dialogue: Dialogue) -> None:
    category = dialogue.scene.pick(dialogue.tongue.unsafe)
    agent = dialogue.tongue.agent
    dialogue.contact.intent = intent = "dissatisfaction" if category in _HOSTILE else "out_of_scope"
    dialogue.says(dialogue.tongue.unsafe[category], intent=intent, unsafe=[category])
    dialogue.answers(agent["calm"] if category in _HOSTILE else agent["refuse"])
    if dialogue.rng.random() < 0.5:
        _business(dialogue, _intent(dialogue.rng), None)


def _off_topic(dialogue: Dialogue) -> None:
    dialogue.says(*_opening(dialogue, "out_of_scope"), intent="out_of_scope", unsafe=["off_topic"])
    dialogue.answers(dialogue.tongue.agent["off_topic"])
    if dialogue.rng.random() < 0.3:
        _business(dialogue, _intent(dialogue.rng), None)


def _business(dialogue: Dialogue, intent: str, flaw: str | None) -> None:
    """The customer asks for something that the shop does; the agent serves it, well or with the flaw."""
    contact, rng = dialogue.contact, dialogue.rng
    contact.intent, contact.flaw = intent, flaw
    dialogue.says(*_opening(dialogue, intent), intent=intent)
    scenario = shop().scenarios[intent]
    _ask_for_missing(dialogue, scenario)
    if flaw is None:
        _serve(dialogue, scenario)
        if rng.random() < 0.15:
            _follow_up(dialogue)
        return
    {"wrong_tool": _wrong_tool, "loop": _loop, "unresolved": _unresolved, "useless": _useless}[flaw](dialogue, scenario)
    _complain(dialogue)


def _opening(dialogue: Dialogue, intent: str) -> list[Choice]:
    """Greeting, lead-in, the matter itself, sometimes a second one, and a tail: short and long, calm and upset."""
    rng, customer, openings = dialogue.rng, dialogue.tongue.customer, dialogue.tongue.openings
    phrases = [customer["greeting"]] if rng.random() < 0.4 else []
    if rng.random() < 0.2:
        phrases.append(customer["lead"])
    phrases.append(openings[intent])
    if rng.random() < 0.06:
        phrases += [customer["bridge"], openings[_intent(rng)]]
    if rng.random() < 0.35:
        phrases.append(customer["tail"])
    return phrases


def _ask_for_missing(dialogue: Dialogue, scenario: Scenario) -> None:
    """The agent asks until it knows what the tool needs; a reason nobody gave is a change of mind."""
    for spoken in scenario.arguments.values():
        if spoken in dialogue.tongue.asks and spoken not in dialogue.mentioned:
            dialogue.answers(dialogue.tongue.asks[spoken])
            dialogue.says(dialogue.tongue.give[spoken], intent="provide_details")
            dialogue.mentioned.add(spoken)
    if "reason" in scenario.arguments and "reason_text" not in dialogue.mentioned:
        dialogue.scene["reason"] = "changed_mind"


def _arguments(dialogue: Dialogue, scenario: Scenario) -> dict[str, str]:
    return {name: dialogue.scene[name] for name in scenario.arguments}


def _result(dialogue: Dialogue, scenario: Scenario) -> dict[str, str | int]:
    values = {name.removesuffix("_iso"): dialogue.scene[name] for name in scenario.result}
    return {name: int(value) if value.isdigit() else value for name, value in values.items()}


def _serve(dialogue: Dialogue, scenario: Scenario) -> None:
    """Look it up, get over a slow or unlucky first try, and answer."""
    roll = dialogue.rng.random()
    arguments = _arguments(dialogue, scenario)
    if roll < 0.06:
        dialogue.calls(scenario.tool, arguments, {"error": "timeout", "message": "no answer within 5 s"})
    elif roll < 0.12 and "order_id" in arguments:
        _correct_order(dialogue, scenario)
        arguments = _arguments(dialogue, scenario)
    dialogue.calls(scenario.tool, arguments, _result(dialogue, scenario))
    dialogue.answers(dialogue.tongue.replies[scenario.intent])


def _correct_order(dialogue: Dialogue, scenario: Scenario) -> None:
    """The number did not exist: the customer finds the right one."""
    scene = dialogue.scene
    arguments = _arguments(dialogue, scenario)
    scene["wrong_id"] = scene.pop("order_id")
    dialogue.calls(scenario.tool, arguments, {"error": "not_found", "message": f"no order {scene['wrong_id']}"})
    dialogue.answers(dialogue.tongue.agent["not_found"])
    dialogue.says(dialogue.tongue.give["order_id"], intent="provide_details")


def _follow_up(dialogue: Dialogue) -> None:
    """A second matter in the same contact, about the same order."""
    intent = _intent(dialogue.rng)
    dialogue.says(dialogue.tongue.openings[intent], intent=intent)
    scenario = shop().scenarios[intent]
    _ask_for_missing(dialogue, scenario)
    _serve(dialogue, scenario)


def _wrong_tool(dialogue: Dialogue, scenario: Scenario) -> None:
    others = [other for other in shop().scenarios.values() if other.tool != scenario.tool]
    other = others[int(dialogue.rng.random() * len(others))]
    dialogue.calls(other.tool, _arguments(dialogue, other), _result(dialogue, other))
    dialogue.answers(dialogue.tongue.replies[other.intent])


def _loop(dialogue: Dialogue, scenario: Scenario) -> None:
    asked = next((slot for slot in scenario.arguments.values() if slot in dialogue.tongue.asks), "order_id")
    for _ in range(dialogue.rng.randint(2, 3)):
        dialogue.answers(dialogue.tongue.asks[asked])
        dialogue.says(dialogue.tongue.give[asked], intent="provide_details")
    dialogue.answers(dialogue.tongue.asks[asked])


def _unresolved(dialogue: Dialogue, scenario: Scenario) -> None:
    for _ in range(dialogue.rng.randint(1, 3)):
        error = {"error": "timeout", "message": "no answer within 5 s"}
        dialogue.calls(scenario.tool, _arguments(dialogue, scenario), error)
    dialogue.answers(dialogue.tongue.agent["timeout"])


def _useless(dialogue: Dialogue, scenario: Scenario) -> None:
    del scenario  # the point: the agent does not even try
    dialogue.answers(dialogue.tongue.agent["useless"])


def _complain(dialogue: Dialogue) -> None:
    """The customer of a flawed contact says so, sometimes in words that the guardrail marks; some just leave."""
    roll = dialogue.rng.random()
    if roll < 0.12:
        dialogue.says(dialogue.tongue.unsafe["harassment"], intent="dissatisfaction", unsafe=["harassment"])
        dialogue.answers(dialogue.tongue.agent["calm"])
    elif roll < 0.75:
        dialogue.says(dialogue.tongue.customer["angry_thanks"], intent="dissatisfaction")
        if roll < 0.5:
            dialogue.answers(dialogue.tongue.agent["timeout"])


def _end(dialogue: Dialogue) -> None:
    """Thanks, feedback and outcome; each is missing in part of the contacts, as everywhere."""
    contact, rng = dialogue.contact, dialogue.rng
    good = contact.flaw is None
    if good and rng.random() < 0.6:
        dialogue.says(dialogue.tongue.customer["thanks"], intent="thanks")
        dialogue.answers(dialogue.tongue.agent["goodbye"])
    if rng.random() < 0.9:
        contact.outcome = Outcome(success=good, reason="resolved" if good else contact.flaw)
    if rng.random() < 0.3:
        # Feedback does not always follow quality: some people click at random.
        pleased = good if rng.random() < 0.93 else not good
        contact.feedback.append(_feedback(dialogue, pleased))


def _feedback(dialogue: Dialogue, pleased: bool) -> Feedback:
    roll, rng = dialogue.rng.random(), dialogue.rng
    if roll < 0.45:
        return Feedback(name="thumbs", kind="boolean", value=pleased)
    if roll < 0.8:
        return Feedback(name="csat", kind="float", value=float(rng.randint(4, 5) if pleased else rng.randint(1, 2)))
    phrase = dialogue.tongue.customer["comment_good" if pleased else "comment_bad"]
    return Feedback(name="comment", kind="comment", value=dialogue.written(phrase))
