"""Matrices approximated by some of their own rows and columns.

======================  ==============================================================
CURNeighbors            nearest items under a costly similarity, from a few evaluations
======================  ==============================================================
"""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CURNeighbors": "_estimators_neighbors",
    },
)
