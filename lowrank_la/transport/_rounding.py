"""From a plan whose masses are nearly right to one whose masses are."""

import numpy as np

from .._support.cuda import to_host
from .._support.validation import as_floats
from ._plans import plan_blocks
from ._problem import check_masses

_MISSING = 1e-14  # of a mass of 1: less is rounding


def round_plan(P, a=None, b=None):
    """Round a plan to one whose masses are exactly a and b.

    Rows, and then columns, that hold too much are scaled down; what is missing then is added in
    proportion to what the rows and the columns lack (Altschuler, Weed, Rigollet 2017, algorithm 2).

    Parameters
    ----------
    P : array_like of shape (n, m)
        A plan, dense: finite entries that are not negative. What is added to it may lie where a
        cost forbids an arc: no costs are known here.
    a : array_like of shape (n,), default=None
        Masses of the rows; None means equal ones, of sum 1.
    b : array_like of shape (m,), default=None
        Masses of the columns, of the same sum.

    Returns
    -------
    plan : ndarray of shape (n, m)
        Its row sums are a and its column sums b, up to rounding errors. No entry has changed by
        more than the marginal errors of P, and all together by at most twice their sum.

    Raises
    ------
    ValueError
        If P is not a plan, or the masses are not as described.

    References
    ----------
    J. Altschuler, J. Weed, P. Rigollet. Near-linear time approximation algorithms for optimal
    transport via Sinkhorn iteration. NIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.transport import round_plan
    >>> round_plan(np.array([[0.5, 0.1], [0.0, 0.3]]), [0.5, 0.5], [0.5, 0.5]).sum(axis=0)
    array([0.5, 0.5])
    """
    if hasattr(P, "sparse_plan"):
        raise ValueError("P is a result: give its plan")
    P = to_host(as_floats("P", P)).astype(np.float64)
    if P.ndim != 2 or not P.size or not (P.min() >= 0 and P.max() < np.inf):
        raise ValueError("P must be a matrix of finite entries that are not negative")
    a, b, _ = check_masses(a, b, P.shape)
    scaled = P * shrinkage(P.sum(axis=1), a)[:, None]
    scaled *= shrinkage(scaled.sum(axis=0), b)
    missing = (np.maximum(masses - scaled.sum(axis=1 - i), 0) for i, masses in enumerate((a, b)))
    return scaled + _rank_one(*missing, float(a.sum()))


def shrinkage(sums, masses):
    """Return factors that make sums at most the masses."""
    return np.where(sums > masses, masses / np.where(sums > masses, sums, 1), 1.0)


def _rank_one(rows, columns, mass=1.0):
    """Plan that adds masses to the rows and to the columns, of which there is so much in all."""
    total = float(columns.sum())
    # What is missing by rounding errors must not go where no arc leads.
    return rows[:, None] * (columns / total if total > _MISSING * mass else 0 * columns)


def feasible_value(problem, h, g, reg):
    """Value of the plan of some potentials, rounded to the masses, block after block."""
    xp = problem.kernels.xp
    columns, value = xp.zeros(len(problem.b)), 0.0
    for rows, plan, _ in plan_blocks(problem, h, g, reg):
        columns += shrinkage(plan.sum(axis=1), problem.a[rows]) @ plan
    factors = shrinkage(columns, problem.b)
    missing = problem.b - columns * factors
    for rows, plan, costs in plan_blocks(problem, h, g, reg):
        a = problem.a[rows]
        plan *= shrinkage(plan.sum(axis=1), a)[:, None]
        plan *= factors
        plan += _rank_one(xp.maximum(a - plan.sum(axis=1), 0), missing)
        ratios = xp.where(plan > 0, plan, 1) / (a[:, None] * problem.b)
        value += float((plan * xp.where(plan > 0, costs + reg * xp.log(ratios), 0)).sum())
    return value


def dual_value(problem, h, g, reg):
    """Value of the dual problem: no plan with the right masses has a lower one."""
    mass = float(problem.evaluate(h, g, reg)[0].sum())
    phi = g - reg * problem.kernels.xp.log(problem.b)
    return float(problem.a @ h + problem.b @ phi) + reg * (1 - mass)
