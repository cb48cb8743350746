"""Optimal transport between masses."""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "SinkhornTransport": "_estimators",
        "TransportResult": "_solve",
        "round_plan": "_rounding",
        "sinkhorn": "_pot",
        "sinkhorn2": "_pot",
        "sinkhorn_divergence": "_divergence",
        "solve": "_solve",
        "solve_path": "_path",
        "solve_sample": "_solve",
    },
)
