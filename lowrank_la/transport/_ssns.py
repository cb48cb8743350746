"""The method "ssns": safe and sparse Newton steps (Tang & Qiu, NeurIPS 2024).

No entry of the plan is kept that need not be: those that are dropped add up to a share of the
gradient. A shift of the Hessian in proportion to the gradient, and a test of how much of what it
promises a step keeps, give convergence from everywhere, and a quadratic one in the end.
"""

import math

from ._dual import Dual
from ._sinkhorn import scaled

_BUDGET = 0.01  # nu_0: of the gradient's length, that the dropped entries may add up to
_LENGTHS = (1.0, 0.5, 0.25, 0.1)  # of a step, that are tried in turn
_FIRST_SHIFT, _LEAST_SHIFT, _LARGEST_SHIFT = 1.0, 1e-3, 1e12  # mu
_POOR, _GOOD = 0.25, 0.75  # ratios of what a step gave to what it promised
_MAX_CG = 2000


def ssns(problem, reg, tol, trace, phi=None):
    """Take shifted, sparsified Newton steps; return the potentials h and g.

    The shift makes the system definite, so that no potential has to be pinned; the potentials
    of the rows are eliminated from it, and conjugate gradients solve for those of the columns.
    """
    dual = Dual(problem, reg, trace, "ssns")
    h, g = scaled(problem, reg, tol, trace, phi, 0)
    if trace.ended or trace.history[-1] <= tol:
        return h, g
    point, shift = dual.at(h, g), _FIRST_SHIFT
    while point.error > tol and shift < _LARGEST_SHIFT and not trace.ended:
        length = _gradient_length(problem, point)
        bound = _kept_from(dual.xp, point.plan, _BUDGET * length)
        step = dual.newton_step(point, bound, shift * reg * length, _MAX_CG)
        trial, ratio = _searched(dual, point, step)
        if ratio > 0:
            trace.count(n_newton=1)
            point = trial
        if not ratio >= _POOR:
            shift *= 4
        elif ratio > _GOOD:
            shift = max(shift / 2, _LEAST_SHIFT)
    return point.h, point.g


def _gradient_length(problem, point):
    sides = (problem.a - point.rows, problem.b - point.columns)
    return math.sqrt(sum(float(side @ side) for side in sides))


def _kept_from(xp, plan, budget):
    """Return the bound below which the entries of the plan add up to at most the budget."""
    sure = plan <= budget / plan.size  # as many as there are, they do not add up to more
    some = xp.sort(plan[(plan <= budget) & ~sure])
    sums = xp.cumsum(some) + plan[sure].sum()
    n_dropped = int(xp.count_nonzero(sums <= budget))
    return float(some[n_dropped]) if n_dropped < len(some) else budget


def _searched(dual, point, step):
    """Return the first part of the step that raises the dual, and how true its promise was."""
    for length in _LENGTHS:
        if not 0 < step.slope < math.inf or dual.trace.ended:
            break
        trial, promised = dual.moved(point, step, length), step.promises(length)
        rise = dual.rise(point, trial, promised)
        if rise > 0:
            return trial, rise / promised
    return point, 0.0
