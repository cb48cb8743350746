"""Matrices approximated by some of their own rows and columns.

======================  ==============================================================
======================  ==============================================================
"""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {},
)
