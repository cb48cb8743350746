"""Plumbing that knows nothing of the algorithms."""
