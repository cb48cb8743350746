"""Optimal transport between masses."""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "TransportResult": "_solve",
        "round_plan": "_rounding",
        "solve": "_solve",
        "solve_sample": "_solve",
    },
)
