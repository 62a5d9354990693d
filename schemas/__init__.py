"""What travels: topics, Avro schemas, the records as frozen values, and the codec between them."""
