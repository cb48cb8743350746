"""Entropic optimal transport between masses.

=====================  =============================================================
solve                  the plan for a matrix of costs, its value and its guarantees
solve_sample           the same between two clouds of points, without a matrix
solve_path             the same for several strengths of regularisation
sinkhorn, sinkhorn2    the plan, or its cost, called as in POT
sinkhorn_divergence    how different two clouds of points are
round_plan             a plan that has given masses exactly, from one that nearly has
SinkhornTransport      an estimator that moves samples of one domain onto another one
TransportResult        what solve and solve_sample return, and solve_path a list of
=====================  =============================================================
"""

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
