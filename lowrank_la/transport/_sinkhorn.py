"""The method "sinkhorn": scaling steps in the logarithmic domain, and nothing else."""

import math

from ._semidual import SemiDual


def sinkhorn(problem, reg, tol, trace, phi=None):
    """Scale columns and rows in turn until the error is small enough; return h and g."""
    return scaled(problem, reg, tol, trace, phi, math.inf)


def scaled(problem, reg, tol, trace, phi, n_steps):
    """Scale the rows, and then columns and rows in turn, for so many steps at most.

    A pass over the costs scales the rows and sums the columns, with one exponential per entry:
    what is left of a step costs O(m).
    """
    dual = SemiDual(problem, trace)
    trace.begin(reg)
    point = dual.at(problem.kernels.xp.zeros(len(problem.b)) if phi is None else phi, reg)
    while n_steps > 0 and point.error > tol and not trace.ended:
        point, n_steps = dual.at(dual.scaled(point, reg), reg), n_steps - 1
        trace.count(n_sinkhorn=1)
    return point.h, point.phi + reg * dual.log_b
