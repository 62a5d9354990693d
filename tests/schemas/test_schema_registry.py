"""The registry's client against a real HTTP server with Avro's own compatibility rules."""

from __future__ import annotations

import threading

import pytest

from schemas import catalog
from schemas.errors import RegistryAway, RegistryRefuses
from schemas.schema_registry import RULE, Asking, SchemaRegistry, look_up, register
from tests.registry import Registry, running_registry


def _versions() -> int:
    return sum(len(topic.versions) for topic in catalog.topics().values())


def test_registering_gives_numbers_that_others_look_up(registry: Registry) -> None:
    """Each version of each record is there once, under the strict rule; a second time changes nothing."""
    client = SchemaRegistry(registry.url)
    ids = register(client, "p.")
    assert register(client, "p.") == ids == look_up(client, "p.")
    assert len(registry.schemas) == _versions()
    assert registry.subjects.keys() == {f"p.{topic}-value" for topic in catalog.topics()}
    assert set(registry.rules.values()) == {RULE}
    assert client.schema(ids["Score"][1]) == catalog.raw_schema("Score", 1)
    assert client.schema(9999) is None


def test_looking_up_registers_nothing(registry: Registry) -> None:
    """A process whose schemas are not there says which, and what to do."""
    with pytest.raises(RegistryRefuses, match=r"not registered under .*-value .* run `still init` of this version"):
        look_up(SchemaRegistry(registry.url), "")
    assert registry.subjects == {}


def test_an_incompatible_version_is_one_sentence(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that cannot read the one before is refused, with the record, the version and the subject."""
    client = SchemaRegistry(registry.url)
    register(client, "")
    changed = catalog.raw_schema("Score", 1)
    changed["fields"].append({"name": "weight", "type": "double", "doc": "no default"})
    monkeypatch.setattr(catalog, "raw_schema", lambda *_: changed)
    with pytest.raises(
        RegistryRefuses, match=r"^\w+ v1 cannot be registered under [\w.]+-value: .*may only add fields"
    ):
        register(client, "")


def test_login_goes_with_every_call() -> None:
    """With the login it works; without, the refusal shows no password."""
    with running_registry(("me", "hidden-1")) as registry:
        assert register(SchemaRegistry(registry.url, "me", "hidden-1"), "")
        wrong = SchemaRegistry(registry.url, "me", "hidden-2")
        with pytest.raises(RegistryRefuses, match="401") as refused:
            wrong.schema(1)
        assert "hidden" not in f"{refused.value} {wrong!r}"


def test_a_registry_that_is_away_is_waited_for(registry: Registry) -> None:
    """While it fails or does not answer the call waits, and ends with its answer, its patience, or a stop."""
    client = SchemaRegistry(registry.url)
    ids = register(client, "")
    registry.is_away = True
    threading.Timer(0.5, setattr, (registry, "is_away", False)).start()
    assert Asking(client, patience_s=30.0)(ids["Score"][1]) == catalog.raw_schema("Score", 1)
    registry.is_away = True
    with pytest.raises(RegistryAway, match="503"):
        Asking(client, patience_s=0.2)(1)
    stop = threading.Event()
    stop.set()
    with pytest.raises(RegistryAway, match="does not answer"):
        Asking(SchemaRegistry("http://127.0.0.1:1"), patience_s=600.0, stop=stop)(1)


def test_what_is_absent_is_not_asked_for_again_and_again(registry: Registry) -> None:
    """Damaged bytes with one number cost one call."""
    asking = Asking(SchemaRegistry(registry.url), patience_s=1.0)
    assert [asking(4242) for _ in range(5)] == [None] * 5
    assert registry.calls == ["GET /schemas/ids/4242"]
