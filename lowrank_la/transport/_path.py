"""Solutions along a path of falling regularisation."""

import numpy as np

from .._support.validation import as_floats
from ._costs import check_costs
from ._solve import solve_costs


def solve_path(
    M,
    a=None,
    b=None,
    *,
    regs,
    method="auto",
    tol=1e-8,
    max_iter=10_000,
    warmstart=None,
    options=None,
    n_cpu=-1,
    device=None,
    callback=None,
):
    """Solve an entropic optimal-transport problem at falling strengths of regularisation.

    Each solution starts from the one before it.

    Parameters
    ----------
    M : array_like of shape (n, m)
        Costs, of any sign; +inf forbids an arc.
    a : array_like of shape (n,), default=None
        Masses of the rows, zeros allowed; None means equal ones, of sum 1.
    b : array_like of shape (m,), default=None
        Masses of the columns, of the same sum as a.
    regs : array_like of shape (k,)
        Strengths of the entropic regularisation, in units of M, each less than the last.
    method : {"auto", "sinkhorn", "sns", "ssns"}, default="auto"
        As for :func:`solve`.
    tol : float, default=1e-8
        L1 distances of the plan's marginals from a and b, added up, relative to sum(a).
    max_iter : int, default=10_000
        Passes over the costs at most, for each strength.
    warmstart : TransportResult or tuple of arrays of shape (n,) and (m,), default=None
        Potentials to start the first from.
    options : dict, default=None
        Parameters of the method.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result does not depend on it.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where M lies.
    callback : callable, default=None
        Called after each pass, as for :func:`solve`; if it returns True, the solution at hand is
        the last one.

    Returns
    -------
    results : list of TransportResult
        One for each strength, in their order. They share the costs.

    Raises
    ------
    ValueError
        If an argument is not what is described here.

    Warns
    -----
    ConvergenceWarning
        If `tol` was not reached, for each strength where it was not.

    See Also
    --------
    solve : For one strength; its method "auto" comes from larger ones by itself.

    Notes
    -----
    The last solution alone is found faster by :func:`solve`, which does not finish those on the
    way to it.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.transport import solve_path
    >>> M = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> [round(result.value_linear, 4) for result in solve_path(M, regs=[1.0, 0.3, 0.1])]
    [0.2689, 0.0344, 0.0]
    """
    costs, results, answers = check_costs(M), [], [False]

    def asked(info):
        answers.append(callback(info))
        return answers[-1]

    for reg in _check_regs(regs):
        if answers[-1]:
            break
        result = solve_costs(
            costs, (M,), a, b, reg=reg, method=method, tol=tol, max_iter=max_iter,
            warmstart=results[-1] if results else warmstart, options=options, n_cpu=n_cpu,
            device=device, callback=callback and asked,
        )  # fmt: skip
        results.append(result)
    return results


def _check_regs(regs):
    regs = as_floats("regs", regs)
    if regs.ndim != 1 or not regs.size or not (regs[-1] > 0 and regs[0] < np.inf):
        raise ValueError("regs must be positive, finite numbers, one at least")
    if not (regs[1:] < regs[:-1]).all():
        raise ValueError("regs must fall: each less than the one before it")
    return regs.tolist()
