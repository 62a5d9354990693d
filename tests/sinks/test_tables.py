"""The columns follow the Avro schemas, field for field."""

from schemas import catalog
from sinks.tables import table, tables


def test_a_schema_field_is_a_column_of_its_name() -> None:
    """Whatever a derived record carries can be queried; provenance is spread over the src columns."""
    for one in tables():
        fields = {field["name"] for field in catalog.newest_schema(catalog.topic(one.topic).record)["fields"]}
        if one.monotone or one.name == "model_events":
            assert fields - {"provenance"} <= set(one.names)


def test_times_are_times_and_absent_is_null() -> None:
    """Microseconds become DateTime64; an optional field is nullable, never 0."""
    types = {column.name: column.type for column in table("examples").columns}
    assert types["occurred_at"] == "Nullable(DateTime64(6, 'UTC'))"
    assert types["quality"] == "Nullable(Float64)"
    assert types["tenant"] == "LowCardinality(Nullable(String))"
    assert types["reasons"] == "Array(LowCardinality(String))"
