"""Tuning: from public annotations to an adapter. `recipe` says what, `rows` makes what a model learns from."""
