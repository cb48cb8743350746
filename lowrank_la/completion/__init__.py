"""Matrices filled in from some of their entries.

================  ====================================================
complete          factors of a matrix, from indices and values
CompletionResult  what complete returns
================  ====================================================
"""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CompletionResult": "_complete",
        "complete": "_complete",
    },
)
