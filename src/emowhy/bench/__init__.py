"""Benchmarks: tasks, scores, comparisons."""
