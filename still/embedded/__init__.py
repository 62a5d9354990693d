"""The embedded stack: a Kafka-compatible broker and the ClickHouse engine as child processes on loopback.

Nothing here knows the domain; what is embedded differs from a cluster in addresses only.
"""
