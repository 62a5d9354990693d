"""Apache Kafka itself as the broker: durable, one KRaft node on loopback, from its own jars."""
