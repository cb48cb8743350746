"""The method "sns": Sinkhorn-Newton-Sparse as published (Tang et al., ICLR 2024).

It is here to be compared with. Its weaknesses are its own: the share of the plan that is kept does
not follow the plan, so that it may need very many steps or come to a stand where the plan is dense.
"""

import math

from .._support.validation import check_integer, check_positive
from ._dual import Dual
from ._sinkhorn import scaled

_ARMIJO = 1e-4  # of the rise that the slope promises
_HALVINGS = 40  # of a step, at most


def sns(problem, reg, tol, trace, phi=None, n_scaling=20, density=None, max_cg=1000):
    """Scale, then take Newton steps with a sparsified Hessian; return the potentials h and g.

    Parameters
    ----------
    n_scaling : int, default=20
        Scaling steps that come first, N1 in the paper.
    density : float, default=None
        Share of the entries of the plan that the Hessian keeps, lambda in the paper, which takes
        2 / n (15 / n for the L1 cost). None means 2 / min(n, m): no fewer than a vertex of the
        polytope of plans has.
    max_cg : int, default=1000
        Iterations of conjugate gradients in a Newton step, at most.

    Notes
    -----
    The paper has conjugate gradients solve the sparsified system in the potentials of both sides.
    Here they solve the equivalent one from which those of the rows have been eliminated.
    """
    dual = Dual(problem, reg, trace, "sns")
    check_integer("n_scaling", n_scaling, 0)
    check_integer("max_cg", max_cg, 1)
    density = 2 / len(problem.b) if density is None else check_positive("density", density)
    h, g = scaled(problem, reg, tol, trace, phi, n_scaling)
    if trace.ended or trace.history[-1] <= tol:
        return h, g
    point = dual.at(h, g)
    while point.error > tol and not trace.ended:
        bound = _kept_from(dual.xp, point.plan, density)
        step = dual.newton_step(point, bound, 0.0, max_cg)
        trial = _searched(dual, point, step)
        if trial is None:
            break
        trace.count(n_newton=1)
        point = trial
    return point.h, point.g


def _kept_from(xp, plan, density):
    """Return the least of the ceil(density n m) largest entries."""
    n_dropped = max(0, plan.size - math.ceil(min(density, 1) * plan.size))
    return float(xp.partition(plan.ravel(), n_dropped)[n_dropped])


def _searched(dual, point, step):
    """Halve the step until the dual rises enough; None if it never does."""
    length = 1.0
    for _ in range(_HALVINGS):
        if not 0 < step.slope < math.inf or dual.trace.ended:
            return None
        trial = dual.moved(point, step, length)
        if dual.rise(point, trial, length * step.slope) > _ARMIJO * length * step.slope:
            return trial
        length /= 2
    return None
