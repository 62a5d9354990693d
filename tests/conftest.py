"""Fixtures for every test; the embedded stack starts only when a test asks for it."""

pytest_plugins = ["tests.stack"]
