"""Embeddings of the nodes of a graph: FastRP."""

from .._support.lazy import attach

_FROM = {"_estimators": ["FastRP"], "_fastrp": ["fastrp"]}

__getattr__, __dir__, __all__ = attach(
    __name__, {name: module for module, names in _FROM.items() for name in names}
)
