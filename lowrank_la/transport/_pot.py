"""POT's calling convention: ``ot.sinkhorn`` and ``ot.sinkhorn2``, by the solvers of `solve`."""

import numpy as np

from .._support.cuda import to_host
from .._support.validation import as_floats, check_positive
from ._costs import check_costs
from ._problem import check_masses
from ._solve import solve_costs

_METHODS = {
    "auto": "auto",
    "sinkhorn": "sinkhorn",
    "sinkhorn_log": "sinkhorn",
    "sinkhorn_stabilized": "auto",
    "sinkhorn_epsilon_scaling": "auto",
    "greenkhorn": "auto",
    "sns": "sns",
    "ssns": "ssns",
}
_PRINTED = 10  # every so many passes ...
_HEADED = 200  # ... with the names of the columns above so many


def sinkhorn(
    a,
    b,
    M,
    reg,
    method="auto",
    numItermax=10_000,
    stopThr=1e-9,
    verbose=False,
    log=False,
    warn=True,
    warmstart=None,
    *,
    n_cpu=-1,
    device=None,
):
    """Solve an entropic optimal-transport problem: ``ot.sinkhorn`` of POT, under its name.

    The plan minimises <P, M> + reg sum P log P over those that move the masses a to the masses b:
    the same one that :func:`solve` finds, which has more to tell about it.

    Parameters
    ----------
    a : array_like of shape (n,)
        Masses of the rows, zeros allowed; an empty list, or None, means equal ones, of sum 1.
    b : array_like of shape (m,) or (m, k)
        Masses of the columns, or k such masses, for k problems with the same costs. Each has the
        same sum as a; it need not be 1. An empty list, or None, means equal ones.
    M : array_like of shape (n, m)
        Costs, of any sign; +inf forbids an arc.
    reg : float
        Strength of the entropic regularisation, in units of M.
    method : str, default="auto"
        "auto" is the fastest, and POT's "sinkhorn_stabilized", "sinkhorn_epsilon_scaling" and
        "greenkhorn" mean the same here: they are there for small `reg`, or for speed. "sinkhorn"
        and "sinkhorn_log" take scaling steps only, with logarithms: no `reg` is too small for
        these, but many need more of them than anyone waits for. "sns" and "ssns" are the
        published methods that :func:`solve` describes. All lead to the same plan.
    numItermax : int, default=10_000
        Passes over the costs at most, for each b.
    stopThr : float, default=1e-9
        The plan is one when the L1 distances of its row sums from a and of its column sums from b
        add up to at most ``stopThr * sum(a)``. POT compares the L2 norm of one side, which is
        smaller, every ten iterations.
    verbose : bool, default=False
        Print the error every ten passes.
    log : bool, default=False
        Return a dict, too.
    warn : bool, default=True
        Warn if `stopThr` was not reached.
    warmstart : tuple of arrays of shape (n,) and (m,), or TransportResult, default=None
        Logarithms of the scalings u and v to start from, or with shapes (n, k) and (m, k) those
        for each b; or an earlier result. Without it, each b after the first starts from the
        solution for the last one.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result does not depend on it.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where M lies.

    Returns
    -------
    plan : ndarray of shape (n, m), or (k,) for k masses
        The plan, in the dtype of M; for a matrix b the cost <P, M> of each of the k plans
        instead, as POT has it.
    log : dict
        Only if `log` is true. The plan is ``u[:, None] * exp(-M / reg) * v``, with the scalings
        ``u`` and ``v`` of shape (n,) and (m,), or (n, k) and (m, k); they overflow at a small
        `reg`, but their logarithms ``log_u`` and ``log_v`` do not, and ``warmstart`` is the pair
        of these. ``err`` lists the errors found by the ``niter`` passes. ``result`` is the
        :class:`TransportResult`, or for a matrix b the list of them.

    Raises
    ------
    ValueError
        If an argument is not what is described here.

    Warns
    -----
    ConvergenceWarning
        If `stopThr` was not reached and `warn` is true.

    See Also
    --------
    solve : Sparse plans, values, a certified gap.
    sinkhorn2 : The cost alone.

    Notes
    -----
    A pass costs O(n m), or much less where `reg` is small: see :func:`solve`. The costs are
    checked, copied if they must be, and held once for all k problems.

    Examples
    --------
    >>> from lowrank_la.transport import sinkhorn
    >>> sinkhorn([0.5, 0.5], [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], 1).round(8)
    array([[0.36552929, 0.13447071],
           [0.13447071, 0.36552929]])
    """
    results, masses, is_matrix = _solve_each(
        a, b, M, reg, method, verbose, warmstart, tol=stopThr, max_iter=numItermax, warn=warn,
        n_cpu=n_cpu, device=device,
    )  # fmt: skip
    answer = _costs_of(results) if is_matrix else results[0].plan
    return (answer, _log(results, masses, is_matrix)) if log else answer


def sinkhorn2(
    a,
    b,
    M,
    reg,
    method="auto",
    numItermax=10_000,
    stopThr=1e-9,
    verbose=False,
    log=False,
    warn=True,
    warmstart=None,
    *,
    n_cpu=-1,
    device=None,
):
    """Cost of the entropic plan, <P, M>: ``ot.sinkhorn2`` of POT, under its name.

    The plan itself is never made.

    Parameters
    ----------
    a : array_like of shape (n,)
        Masses of the rows, as for :func:`sinkhorn`.
    b : array_like of shape (m,) or (m, k)
        Masses of the columns, or k such masses.
    M : array_like of shape (n, m)
        Costs, of any sign; +inf forbids an arc.
    reg : float
        Strength of the entropic regularisation, in units of M.
    method : str, default="auto"
        As for :func:`sinkhorn`.
    numItermax : int, default=10_000
        Passes over the costs at most, for each b.
    stopThr : float, default=1e-9
        L1 distances of the plan's marginals from a and b, added up, relative to sum(a).
    verbose : bool, default=False
        Print the error every ten passes.
    log : bool, default=False
        Return a dict, too.
    warn : bool, default=True
        Warn if `stopThr` was not reached (POT does not by default).
    warmstart : tuple of arrays of shape (n,) and (m,), or TransportResult, default=None
        Logarithms of the scalings to start from, as for :func:`sinkhorn`.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result does not depend on it.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where M lies.

    Returns
    -------
    cost : float, or ndarray of shape (k,) for k masses
        The linear value, without the entropy.
    log : dict
        Only if `log` is true: see :func:`sinkhorn`.

    Raises
    ------
    ValueError
        If an argument is not what is described here.

    Warns
    -----
    ConvergenceWarning
        If `stopThr` was not reached and `warn` is true.

    Examples
    --------
    >>> from lowrank_la.transport import sinkhorn2
    >>> round(sinkhorn2([0.5, 0.5], [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], 1), 8)
    0.26894142
    """
    results, masses, is_matrix = _solve_each(
        a, b, M, reg, method, verbose, warmstart, tol=stopThr, max_iter=numItermax, warn=warn,
        n_cpu=n_cpu, device=device,
    )  # fmt: skip
    answer = _costs_of(results) if is_matrix else results[0].value_linear
    return (answer, _log(results, masses, is_matrix)) if log else answer


def _solve_each(a, b, M, reg, method, verbose, warmstart, **settings):
    """Solve for each b; return the results, the masses, and whether b is a matrix."""
    if str(method).lower() not in _METHODS:
        raise ValueError(f"method={method!r} is unknown; choose one of {list(_METHODS)}")
    method = _METHODS[str(method).lower()]
    costs, reg = check_costs(M), check_positive("reg", reg)
    b = as_floats("b", [] if b is None else b)
    is_matrix = b.ndim == 2
    if is_matrix and not b.shape[1]:
        raise ValueError(f"b has shape {b.shape}: a column is needed for each problem")
    masses = [check_masses(a, column, costs.shape)[:2] for column in (b.T if is_matrix else [b])]
    starts, results = _starts(warmstart, reg, masses, is_matrix), [None]
    for pair, start in zip(masses, starts, strict=True):
        result = solve_costs(
            costs, (M,), *pair, reg=reg, method=method, warmstart=start or results[-1],
            callback=_print if verbose else None, names=("stopThr", "numItermax"), stacklevel=4,
            **settings,
        )  # fmt: skip
        results.append(result)
    return results[1:], masses, is_matrix


def _starts(warmstart, reg, masses, is_matrix):
    """Potentials for each b, from the logarithms of scalings; None without them."""
    if warmstart is None:
        return [None] * len(masses)
    if hasattr(warmstart, "potentials"):
        return [warmstart] * len(masses)
    try:
        logs = [np.asarray(to_host(x), np.float64) for x in warmstart]
    except (TypeError, ValueError) as error:
        raise ValueError(f"warmstart must be a pair of arrays: {error}") from error
    shapes = [(len(side), len(masses))[: 1 + is_matrix] for side in masses[0]]
    if [x.shape for x in logs] != shapes:
        raise ValueError(
            f"warmstart has arrays of shape {[x.shape for x in logs]}: log u and log v of shape "
            f"{shapes[0]} and {shapes[1]} are needed"
        )
    return [
        tuple(_potential(log.reshape(len(log), -1)[:, k], mass, reg) for log, mass in pairs)
        for k, pairs in enumerate(zip(logs, pair, strict=True) for pair in masses)
    ]


def _potential(log, mass, reg):
    """Potential from the logarithm of a scaling; any number where there is no mass."""
    return reg * (np.where(mass > 0, log, 0) - _log_masses(mass))


def _log_masses(mass):
    return np.log(mass, out=np.zeros(len(mass)), where=mass > 0)


def _costs_of(results):
    return np.array([result.value_linear for result in results])


def _log(results, masses, is_matrix):
    """Return what POT's functions tell about their solution, and the results."""
    log_u, log_v = [], []
    for result, (a, b) in zip(results, masses, strict=True):
        f, g = (to_host(potential) / result.reg for potential in result.potentials)
        log_u.append(np.where(a > 0, f + _log_masses(a), -np.inf))
        log_v.append(np.where(b > 0, g + _log_masses(b / a.sum()), -np.inf))
    log_u, log_v = (np.stack(x, axis=1) if is_matrix else x[0] for x in (log_u, log_v))
    with np.errstate(over="ignore"):
        u, v = np.exp(log_u), np.exp(log_v)
    return {
        "err": [error for result in results for error in result.history.tolist()],
        "niter": sum(result.n_iter for result in results),
        "u": u,
        "v": v,
        "log_u": log_u,
        "log_v": log_v,
        "warmstart": (log_u, log_v),
        "result": results if is_matrix else results[0],
    }


def _print(info):
    """Print a line of POT's table, and the strength of regularisation at hand."""
    n = info["n_iter"] - 1
    if n % _HEADED == 0:
        print(f"{'It.':5s}|{'Err':12s}|{'Reg':12s}\n" + "-" * 31)
    if n % _PRINTED == 0:
        print(f"{n:5d}|{info['error']:12.6e}|{info['reg']:12.6e}")
