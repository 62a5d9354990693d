"""The ClickHouse sink: tables, views, the exactly-once writer, the ledger, and what the trainer reads."""
