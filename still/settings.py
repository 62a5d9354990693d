"""Where things are: read once from the environment (`STILL_*`) and the running embedded stack; refused early if wrong.

Only `still/` reads the environment; every other package gets plain values. Secrets are masked in every print.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from schemas.ceiling import Limits
from schemas.edge import MAX_EVENT_BYTES
from still.embedded.errors import StackNotRunningError
from still.embedded.stack import Stack, absence, read_stack
from still.errors import UserError
from still.security import Security, check

ADDRESSES = ("bootstrap_servers", "clickhouse_url")


class Settings(Security):
    """Settings that several processes share; each field can be set as `STILL_<NAME>`.

    An address is empty where nobody named one and the stack that the folder has is down: see `load`.
    """

    model_config = SettingsConfigDict(env_prefix="STILL_", extra="ignore", frozen=True, hide_input_in_errors=True)

    folder: Path = Field(default=Path(".still"), description="Embedded data, registry, secrets")
    bootstrap_servers: str = Field(default="127.0.0.1:19092", description="Kafka, host:port[,host:port]")
    clickhouse_url: str = Field(default="http://127.0.0.1:18123", description="ClickHouse's HTTP interface")
    database: str = Field(default="stillstream", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    clickhouse_cluster: str = Field(default="", description="For ON CLUSTER and Replicated engines; empty = one server")
    topic_prefix: str = Field(default="", description="Put before every topic's name")
    partitions: int = Field(default=4, ge=1, description="Of conversation-keyed topics; fixed for life")
    replication: int = Field(default=1, ge=1)
    registry: str = Field(default="", description="fsspec URI of the adapter registry; empty = <folder>/registry")
    customer_key: SecretStr = Field(default=SecretStr(""), description="Key of customer hashes and surrogates")
    encoder_base: str = Field(default="", description="Hub id or path; empty = the packaged all-MiniLM-L6-v2")
    decoder_base: str = Field(default="", description="Hub id or path; empty = the small shipped one")
    threads: int = Field(default=1, ge=1, description="Of a trainer on CPU; with 2 on 2 busy cores it collapses to 1/7")
    tracks: Path | None = Field(default=None, description="Folder of track files; unset = the shipped ones")
    health_host: str = Field(default="127.0.0.1", description="Where /metrics, /healthz and /readyz listen")
    health_port: int | None = Field(default=None, ge=0, le=65535, description="Of one process each; unset = not served")
    refused_ratio: float = Field(default=0.5, gt=0, le=1, description="Of refused records, above which a stage stops")
    refused_window: int = Field(default=1000, ge=1, description="Records over which that share is counted")
    refused_run: int = Field(default=1000, ge=1, description="Records refused in a row at which a stage stops")
    accept_gap: str = Field(default="", description="Records that a worker takes behind a hole; its alarm names them")
    max_event_bytes: int = Field(default=MAX_EVENT_BYTES, ge=1, description="Largest event that assemble takes")
    max_conversation_bytes: int = Field(default=8_000_000, ge=1, description="What assemble holds of one conversation")
    inactivity_seconds: float = Field(default=300.0, gt=0, description="Silence after which a contact is closed")

    @property
    def registry_uri(self) -> str:
        """Where adapters lie."""
        return self.registry or (self.folder / "registry").absolute().as_uri()

    @property
    def limits(self) -> Limits:
        """When a stage stops instead of writing more dead letters."""
        return Limits(self.refused_ratio, self.refused_window, self.refused_run)

    def key(self) -> bytes:
        """The key of customer hashes: given, or made once in the folder.

        Raises:
            UserError: the folder cannot be written.
        """
        given = self.customer_key.get_secret_value()
        return given.encode() if given else _own_key(self.folder / "customer.key")


def load(**overrides: Any) -> Settings:
    """Settings of environment, running stack and overrides (strongest last).

    The default addresses are for a folder that never had a stack. Of one whose stack is down they would be whoever
    answers there, another folder's stack: its addresses stay empty, and who needs one says `unaddressed`.

    Raises:
        UserError: a setting is wrong; names it.
    """
    try:
        plain = Settings(**overrides)
        return checked(Settings(**_of_stack(read_stack(plain.folder), plain), **overrides))
    except StackNotRunningError:
        return checked(plain if absence(plain.folder) is None else _without_defaults(plain))
    except OSError as error:
        raise UserError(f"STILL_FOLDER={plain.folder} cannot be used: {error.strerror}; name another folder") from None
    except ValidationError as error:
        first = error.errors()[0]
        name = "STILL_" + "_".join(map(str, first["loc"])).upper()
        raise UserError(f"{name}={first['input']!r}: {first['msg']}; mend it and try again") from None


def checked(settings: Settings) -> Settings:
    """The same settings, if they fit each other; raises UserError."""
    check(
        settings, {f"STILL_{name.upper()}": getattr(settings, name) for name in ("clickhouse_url", "schema_registry")}
    )
    return settings


def _of_stack(stack: Stack, plain: Settings) -> dict[str, Any]:
    """Addresses of the running stack, unless the environment names others."""
    return {name: getattr(stack, name) for name in ADDRESSES if name not in plain.model_fields_set}


def _without_defaults(plain: Settings) -> Settings:
    return plain.model_copy(update={name: "" for name in ADDRESSES if name not in plain.model_fields_set})


def unaddressed(settings: Settings) -> str:
    """Why an address is empty, and what to do."""
    why = absence(settings.folder) or "an address is empty; start a stack with `still up`"
    return f"{why}, or set STILL_BOOTSTRAP_SERVERS / STILL_CLICKHOUSE_URL"


def _own_key(file: Path) -> bytes:
    try:
        if not file.exists():
            _make_key(file)
        key = file.read_text(encoding="ascii")
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}; set STILL_FOLDER or STILL_CUSTOMER_KEY") from None
    if not key:
        raise UserError(f"{file} is empty; put back the key that it had, or remove it to have a new one made")
    return key.encode()


def _make_key(file: Path) -> None:
    """Whole or not at all, and by one of several processes that start together: all must use the same key."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    try:
        part.touch(mode=0o600)
        part.write_text(secrets.token_hex(32), encoding="ascii")
        with suppress(FileExistsError):
            file.hardlink_to(part)
    finally:
        part.unlink(missing_ok=True)
