"""Where it lands: ClickHouse, the adapter registry, memory twins."""
