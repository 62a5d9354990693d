"""Software of the future: `python -m tests.evolution.newer VERSION FOLDER COMMAND ...` is `still` of that version.

Version 2 gives events and scores a `channel`, version 3 a `priority` too; each comes as a real one would: a schema file
and an id, a field of the record class, a numbered migration. Whatever reads those at import must come after `become`.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Any

import yaml

from schemas import catalog, records

EVOLVING = ("ConversationEvent", "Score")
OWN = Path(__file__).parents[2]
ADDED: dict[int, tuple[str, Any, dict[str, Any]]] = {
    2: ("channel", str | None, {"type": ["null", "string"], "default": None, "doc": "Web, phone or mail."}),
    3: ("priority", int | None, {"type": ["null", "int"], "default": None, "doc": "0 = can wait."}),
}
COLUMNS = {2: "`channel` Nullable(String)", 3: "`priority` Nullable(Int32)"}


def schema(record: str, version: int) -> dict[str, Any]:
    """The schema of a record in that version."""
    file = OWN / "schemas" / "avro" / f"{record}.v1.avsc"
    raw: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    raw["fields"] += [{"name": name, **avro} for at, (name, _, avro) in ADDED.items() if at <= version]
    return raw


def become(version: int, folder: Path) -> None:
    """Be that version from here on, with its files in `folder`."""
    _write_catalog(version, folder / "schemas")
    catalog.FOLDER = folder / "schemas"
    fields = [(name, kind, field(default=None)) for at, (name, kind, _) in ADDED.items() if at <= version]
    inside = {"__module__": records.__name__}
    for record in EVOLVING if version > 1 else ():
        bases = (getattr(records, record),)
        made = make_dataclass(record, fields, bases=bases, namespace=inside, frozen=True, slots=True)
        setattr(records, record, made)
        records.RECORDS[record] = made


def _write_catalog(version: int, folder: Path) -> None:
    shutil.copytree(OWN / "schemas" / "avro", folder / "avro", dirs_exist_ok=True)
    topics = yaml.safe_load((OWN / "schemas" / "topics.yaml").read_text(encoding="utf-8"))
    for topic in topics.values():
        for newer in range(2, version + 1) if topic["record"] in EVOLVING else ():
            topic["versions"][newer] = topic["versions"][1] + 100 * newer
            text = json.dumps(schema(topic["record"], newer))
            (folder / "avro" / f"{topic['record']}.v{newer}.avsc").write_text(text, encoding="utf-8")
    (folder / "topics.yaml").write_text(yaml.safe_dump(topics), encoding="utf-8")


def _write_migrations(version: int, own: Path, folder: Path) -> Path:
    shutil.copytree(own, folder, dirs_exist_ok=True)
    first = len(list(own.glob("*.sql"))) + 1
    for newer in range(2, version + 1):
        text = f"ALTER TABLE {{database}}.scores{{on_cluster}} ADD COLUMN IF NOT EXISTS {COLUMNS[newer]};\n"
        (folder / f"{first + newer - 2:04d}_version_{newer}.sql").write_text(text, encoding="utf-8")
    return folder


def main() -> int:
    """Be `still` of that version."""
    version, folder = int(sys.argv[1]), Path(sys.argv[2])
    become(version, folder)
    # Only now: they read the records as they are.
    from sinks.clickhouse import migrations
    from still import __main__ as still

    migrations.FOLDER = _write_migrations(version, migrations.FOLDER, folder / "migrations")
    return still.main(sys.argv[3:])


if __name__ == "__main__":
    sys.exit(main())
