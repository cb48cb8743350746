"""Random sketches, as linear operators: fewer rows that stand for many."""

from .._support.lazy import attach

_FROM = {"_dense": ["Gaussian", "SRHT"], "_sparse": ["CountSketch", "SparseSign"]}

__getattr__, __dir__, __all__ = attach(
    __name__, {name: module for module, names in _FROM.items() for name in names}
)
