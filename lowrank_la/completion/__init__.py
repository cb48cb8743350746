"""Matrices filled in from some of their entries."""
