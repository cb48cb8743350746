"""Other packages' solvers of entropic transport, behind one signature, and how each is called.

Every one is ``solver(problem, tol, max_iter)`` and returns the plan. `tol` is its own
tolerance, in its own norm, so that the same number means something else to each:
`_transport_contests` has the loosest that meets ours.
"""

import functools
import math

import numpy as np
from scipy.special import entr

MAX_ITER = 100_000  # of scaling; Newton's steps are far fewer
_PIVOTS = 10_000_000


def regot(problem, tol, max_iter, *, method):
    """Solve by RegOT; tol bounds the norm of the dual's gradient."""
    import regot

    M, a, b, reg = problem
    solver = getattr(regot, f"sinkhorn_{method}")
    return solver(M, a, b, reg, tol=tol, max_iter=min(max_iter, 3000)).plan


def mdot(problem, tol, max_iter):
    """Solve by MDOT-TNT, without the rounding that gives any plan the right masses.

    Its tolerance is the smaller of the entropies of the masses, times reg ** p: tol is this.
    """
    import torch
    from mdot_tnt.mdot import mdot

    M, a, b, reg = problem
    r, c, C = map(torch.from_numpy, (a, b, M))
    entropy = min(float(entr(masses).sum()) for masses in (a, b))
    p = math.log(entropy / tol) / math.log(1 / reg) if entropy > 0 else 1.5  # its default
    u, v, gamma, *_ = mdot(r, c, C, 1 / reg, p=p)
    return (u[:, None] + v - gamma * C).exp_().numpy()


def pot(problem, tol, max_iter, *, method):
    """Solve by POT; tol bounds the norm of the error of the columns."""
    import ot

    M, a, b, reg = problem
    return ot.sinkhorn(a, b, M, reg, method, stopThr=tol, numItermax=max_iter, warn=False)


def emd(problem, tol, max_iter):
    """Solve without regularisation, by POT's network simplex."""
    import ot

    return ot.emd(problem.a, problem.b, problem.M, numItermax=_PIVOTS)


SOLVERS = {
    "regot ssns": functools.partial(regot, method="ssns"),
    "regot splr": functools.partial(regot, method="splr"),
    "mdot-tnt": mdot,
    "ot.sinkhorn": functools.partial(pot, method="sinkhorn"),
    "ot.sinkhorn stabilized": functools.partial(pot, method="sinkhorn_stabilized"),
    "ot.sinkhorn log": functools.partial(pot, method="sinkhorn_log"),
    "ot.emd": emd,
}
PACKAGES = {"regot": "regot", "mdot-tnt": "mdot_tnt", "ot.sinkhorn": "ot", "ot.emd": "ot"}


def prepared(name, problem):
    """Return the problem with its costs in the order that the solver reads them in."""
    order = np.asfortranarray if name.startswith("regot") else np.ascontiguousarray
    return problem._replace(M=order(problem.M))
