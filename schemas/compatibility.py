"""Whether bytes of one schema version read under another: the rule that lets a topic live for years.

Backward and transitive: the newest schema reads every older version. Each fault is a sentence that says why.
"""

from __future__ import annotations

from typing import Any

_PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}


def faults(writer: Any, reader: Any, at: str = "record") -> list[str]:
    """Why data written with `writer` would not read under `reader`; empty where it does.

    Follows the schema resolution rules of the Avro 1.11 specification for the types we use. Named types must be
    spelled out where first used, as `catalog.schema` gives them.
    """
    if isinstance(writer, list):
        return [fault for branch in writer for fault in faults(branch, reader, at)]
    if isinstance(reader, list):
        return _against_union(writer, reader, at)
    if isinstance(writer, dict) and isinstance(reader, dict) and writer["type"] == reader["type"]:
        return _of_complex(writer, reader, at)
    return _of_plain(_name(writer), _name(reader), at)


def _against_union(writer: Any, reader: list[Any], at: str) -> list[str]:
    if any(not faults(writer, branch, at) for branch in reader):
        return []
    return [f"{at}: {_name(writer)} was written, but the newest schema reads only {[_name(b) for b in reader]}"]


def _of_plain(writer: str, reader: str, at: str) -> list[str]:
    if writer == reader or reader in _PROMOTIONS.get(writer, set()):
        return []
    return [f"{at}: was {writer}, is {reader}; a type must not change, add a new field instead"]


def _of_complex(writer: dict[str, Any], reader: dict[str, Any], at: str) -> list[str]:
    if writer["type"] == "array":
        return faults(writer["items"], reader["items"], f"{at}[]")
    if writer["type"] == "map":
        return faults(writer["values"], reader["values"], f"{at}{{}}")
    if writer["name"] != reader["name"]:
        return [f"{at}: {writer['name']} was renamed to {reader['name']}; keep the name"]
    return _of_enum(writer, reader, at) if writer["type"] == "enum" else _of_record(writer, reader, at)


def _of_enum(writer: dict[str, Any], reader: dict[str, Any], at: str) -> list[str]:
    lost = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
    return (
        [f"{at}: enum {writer['name']} lost {lost}; old messages hold them"] if lost and "default" not in reader else []
    )


def _of_record(writer: dict[str, Any], reader: dict[str, Any], at: str) -> list[str]:
    written = {field["name"]: field for field in writer["fields"]}
    found: list[str] = []
    for field in reader["fields"]:
        place = f"{at}.{field['name']}"
        if field["name"] in written:
            found += faults(written[field["name"]]["type"], field["type"], place)
        elif "default" not in field:
            found.append(f"{place}: new without a default; old messages lack it, give it one")
    return found


def _name(type_: Any) -> str:
    return str(type_.get("name", type_["type"])) if isinstance(type_, dict) else str(type_)
