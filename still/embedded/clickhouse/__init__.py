"""ClickHouse on a laptop: the chDB engine behind ClickHouse's own HTTP interface.

`python -m still.embedded.clickhouse --path DIR --port N` owns the folder and serves it on loopback, so that
clickhouse-connect, curl and every process of ours use it like a server.
"""
