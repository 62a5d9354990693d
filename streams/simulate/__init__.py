"""Customers of a fictional web shop, Lantern & Loom: traffic for demos, load tests and benchmarks.

What people say and what the shop answers is data (`languages/*.toml`, `shop.toml`, `tools.json`); the code only
composes it. Everything is a function of settings and seed: the same arguments make the same events, byte for byte.
"""
