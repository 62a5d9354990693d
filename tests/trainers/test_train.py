"""Training, saving, loading: one loop for all heads, reproducible, and the folder is the adapter."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from schemas.artifacts import seal, verify
from tests.trainers.made import ENTITIES, INTENT, RESPONSE, intents, item, replies, spans
from tests.trainers.tiny import make_bases
from trainers.bases.load import Bases, weights_digest
from trainers.errors import AdapterMismatch, NothingToLearn
from trainers.evaluate import evaluate
from trainers.gates import judge
from trainers.items import Item
from trainers.predict import load_predictor
from trainers.probe import train_probe
from trainers.tracks import Track
from trainers.train import rate, save, train

CASES = [(INTENT, intents), (ENTITIES, spans), (RESPONSE, replies)]


@pytest.mark.parametrize(("track", "make"), CASES, ids=lambda case: getattr(case, "task", ""))
def test_end_to_end(bases: Bases, tmp_path: Path, track: Track, make: Callable[..., list[Item]]) -> None:
    """Every head trains, saves, loads to the same answers, is measured and judged."""
    trained = train(track, make(60), make(30, 1), bases=bases)
    folder = tmp_path / "adapter"
    sealed = save(trained, folder)
    loaded = load_predictor(folder, bases)
    items = make(40, 2)
    ours, theirs = evaluate(trained.predictor, items, track), evaluate(loaded, items, track)
    for one, other in zip(ours.predictions, theirs.predictions, strict=True):
        assert one.output == other.output
        assert one.confidence == pytest.approx(other.confidence, abs=1e-4)
        assert one.loss == pytest.approx(other.loss, abs=1e-4)
    probe = evaluate(train_probe(track, make(60), bases), items, track)
    assert judge(ours, probe, "probe", track).verdict in ("pass", "fail", "inconclusive")
    assert verify(folder) == sealed
    trained.predictor.close()
    loaded.close()


def test_a_classifier_learns(bases: Bases) -> None:
    """Even a tiny random encoder learns a word's meaning; the base itself stays untouched."""
    before = weights_digest(bases.of(INTENT).model)
    trained = train(replace(INTENT, epochs=12, patience=12), intents(150), intents(40, 1), bases=bases)
    value = evaluate(trained.predictor, intents(60, 2), INTENT).value
    trained.predictor.close()
    assert value is not None
    assert value > 0.9
    assert weights_digest(bases.of(INTENT).model) == before


def test_a_generator_lowers_the_loss_and_says_what_the_agent_says(bases: Bases) -> None:
    """The adapter beats its bare base by the gate, and ends its turn."""
    trained = train(replace(RESPONSE, epochs=20), replies(80), [], bases=bases)
    items = replies(60, 2)
    ours = evaluate(trained.predictor, items, RESPONSE)
    gate = judge(ours, evaluate(train_probe(RESPONSE, replies(80), bases), items, RESPONSE), "base", RESPONSE)
    trained.predictor.close()
    assert gate.verdict == "pass"
    assert ours.samples[0]["output"] == ours.samples[0]["target"]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """Same track, items and seed: the same digest, from another process's bases and whatever the items' order."""
    digests = []
    for number in range(2):
        bases = make_bases(tmp_path / str(number))
        items = intents(40) if number else intents(40)[::-1]
        trained = train(INTENT, items, intents(20, 1), bases=bases)
        save(trained, tmp_path / f"a{number}")
        digests.append(json.loads((tmp_path / f"a{number}" / "manifest.json").read_text()))
    weights = [digest["files"]["adapter_model.safetensors"] for digest in digests]
    heads = [digest["files"]["head.safetensors"] for digest in digests]
    assert weights[0] == weights[1]
    assert heads[0] == heads[1]


def test_training_one_track_leaves_another_as_it_was(bases: Bases) -> None:
    """Adapters on one resident base do not touch each other."""
    first = train(INTENT, intents(40), [], bases=bases)
    items = intents(10, 2)
    before = first.predictor.predict(items)
    second = train(ENTITIES, spans(40), [], bases=bases)
    assert first.predictor.predict(items) == before
    second.predictor.close()
    assert first.predictor.predict(items) == before
    first.predictor.close()


def test_warm_start_keeps_what_was_learned(bases: Bases, tmp_path: Path) -> None:
    """A warm start begins with the old adapter and the old rows of labels that both know."""
    track = replace(INTENT, epochs=12, patience=12)
    old = train(track, intents(150), [], bases=bases)
    folder = tmp_path / "old"
    save(old, folder)
    old.predictor.close()
    more = [*intents(30, 1), *(item("intent", "thanks agent", "bye", number=9000 + n) for n in range(3))]
    short = replace(track, epochs=1, learning_rate=1e-5)
    warm = train(short, more, [], bases=bases, warm=folder)
    value = evaluate(warm.predictor, intents(60, 2), track).value
    warm.predictor.close()
    assert warm.head.labels == ("bye", "money", "status", "stop")
    assert value is not None
    assert value > 0.8


def test_the_folder_is_plain_peft(bases: Bases, tmp_path: Path) -> None:
    """No saved modules, no bias, LoRA weights only: what serving engines accept."""
    trained = train(RESPONSE, replies(20), [], bases=bases)
    folder = tmp_path / "adapter"
    save(trained, folder)
    trained.predictor.close()
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["bias"], config["modules_to_save"], config["peft_type"]) == ("none", None, "LORA")
    assert config["target_modules"] == sorted(RESPONSE.target_modules)
    with safe_open(folder / "adapter_model.safetensors", "pt") as weights:
        assert all("lora_A" in key or "lora_B" in key for key in weights.keys())  # noqa: SIM118 - no mapping
    assert not (folder / "head.safetensors").exists()


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "head.safetensors", "still.json"])
def test_a_damaged_folder_is_refused(bases: Bases, tmp_path: Path, name: str) -> None:
    """One changed byte, one missing or one extra file: never loaded."""
    trained = train(replace(INTENT, epochs=1), intents(20), [], bases=bases)
    folder = tmp_path / "adapter"
    save(trained, folder)
    trained.predictor.close()
    path = folder / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(AdapterMismatch, match="not what the manifest says"):
        load_predictor(folder, bases)
    path.unlink()
    with pytest.raises(AdapterMismatch, match="lacks"):
        load_predictor(folder, bases)
    path.write_bytes(whole)
    (folder / "extra.json").write_text("x")
    with pytest.raises(AdapterMismatch, match="does not list"):
        load_predictor(folder, bases)
    seal(folder)
    load_predictor(folder, bases).close()


def test_another_base_is_refused(bases: Bases, tmp_path: Path) -> None:
    """An adapter is worth nothing on other weights."""
    trained = train(replace(INTENT, epochs=1), intents(20), [], bases=bases)
    folder = tmp_path / "adapter"
    save(trained, folder)
    trained.predictor.close()
    other = make_bases(tmp_path / "other")
    with torch.no_grad():
        encoder = other.get("encoder")
    settings = replace(other.settings, encoder=str(tmp_path / "changed"))
    with torch.no_grad():
        next(iter(encoder.model.parameters())).add_(1.0)
    encoder.model.save_pretrained(tmp_path / "changed")
    encoder.tokenizer.save_pretrained(tmp_path / "changed")
    with pytest.raises(AdapterMismatch, match="was trained on"):
        load_predictor(folder, Bases(settings))


@pytest.mark.parametrize(
    "items",
    [[], [item("intent", "where", "a", number=n) for n in range(3)], [item("intent", "  ", t) for t in ("a", "b")]],
    ids=["no item", "one class", "no text"],
)
def test_what_cannot_teach_says_so(bases: Bases, items: list[Item]) -> None:
    """No item, a single class or no text: a clear error, and the base is left clean."""
    with pytest.raises(NothingToLearn):
        train(INTENT, items, [], bases=bases)
    with pytest.raises(NothingToLearn):
        train_probe(INTENT, items, bases)


def test_development_of_unknown_labels_does_no_harm(bases: Bases) -> None:
    """Labels that training never saw are counted wrong and reported, not an error."""
    strange = [item("intent", "thanks", "bye", number=n) for n in range(5)]
    trained = train(replace(INTENT, epochs=1), intents(20), strange, bases=bases)
    trained.predictor.close()
    assert trained.development.value == 0
    assert trained.development.unknown_labels == {"bye": 5}
    assert trained.epochs[0].development is None


def test_progress_ends_at_one(bases: Bases) -> None:
    """Whoever watches sees training grow to its end."""
    seen: list[tuple[str, float]] = []
    trained = train(
        replace(INTENT, epochs=2), intents(40), [], bases=bases, progress=lambda step, share: seen.append((step, share))
    )
    trained.predictor.close()
    shares = [share for step, share in seen if step == "train"]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_the_rate_warms_up_and_goes_to_zero() -> None:
    """Up linearly, then down along a cosine."""
    rates = [rate(step, 100) for step in range(101)]
    assert rates[0] < rates[3] < 1
    assert max(rates) == 1
    assert rates[100] == pytest.approx(0)
