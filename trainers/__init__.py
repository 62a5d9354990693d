"""What learns: batches, tracks, adapters, evaluation, gates, rounds and the continuous service."""
