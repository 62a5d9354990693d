"""The demo: simulated customers through every process to trained adapters, and a summary of what was learned."""
