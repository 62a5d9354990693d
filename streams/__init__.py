"""What happens on the way: capture, assemble, redact, score, decompose, bucket; pure steps and the worker around them."""
