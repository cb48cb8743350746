"""Compiled building blocks that more than one capability uses."""
