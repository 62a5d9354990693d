"""What happens on the way: capture, assemble, redact, score, decompose, bucket, and the worker around."""
