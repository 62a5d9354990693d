"""Frozen base models: where they lie, how they load, and (for the small decoder) how it is built."""
