"""Benchmarks against other packages; run ``python -m benchmarks --help``."""
