"""Deterministic metrics, one file a family: pure functions, each with the source of its formula."""
