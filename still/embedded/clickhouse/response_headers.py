"""Values of response headers, as a ClickHouse server gives them."""

import json

from still.embedded.clickhouse.engine import Done

_CONTENT_TYPES = {
    "tabseparated": "text/tab-separated-values; charset=UTF-8",
    "tsv": "text/tab-separated-values; charset=UTF-8",
    "csv": "text/csv; charset=UTF-8; header=absent",
    "csvwithnames": "text/csv; charset=UTF-8; header=present",
    "json": "application/json; charset=UTF-8",
    "jsoncompact": "application/json; charset=UTF-8",
    "jsoneachrow": "application/x-ndjson; charset=UTF-8",
    "native": "application/octet-stream",
    "rowbinary": "application/octet-stream",
    "parquet": "application/octet-stream",
    "arrow": "application/octet-stream",
    "arrowstream": "application/octet-stream",
}


def content_type_of(format_name: str) -> str:
    """The media type of an answer in a ClickHouse format."""
    return _CONTENT_TYPES.get(format_name.lower(), "text/plain; charset=UTF-8")


def summary_of(done: Done) -> str:
    """What was read and written, as clickhouse-connect expects it in `X-ClickHouse-Summary`."""
    return json.dumps(
        {
            "read_rows": str(done.read_rows),
            "read_bytes": str(done.read_bytes),
            "written_rows": str(done.written_rows),
            "written_bytes": str(done.written_bytes),
            "result_rows": str(done.written_rows),
        }
    )
