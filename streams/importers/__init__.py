"""Conversations and labels of other formats as our records: one file per format, faults as values, nothing guessed."""
