"""Regression by powers of residuals: the function, its result, and what is checked before."""

from dataclasses import dataclass
from numbers import Real

import numpy as np

from .._support.cuda import to_host
from .._support.result import Result
from .._support.validation import (
    as_floats,
    check_integer,
    check_positive,
    check_threads,
    warn_convergence,
    warn_not_converged,
)
from ._lp_solve import Task, solve
from ._lstsq import _checked_data, in_precision, require_finite
from ._methods import seed_of


@dataclass(frozen=True, eq=False)
class LpRegressionResult(Result):
    """Solution of an lp regression, and how far it is from the optimum at most.

    Attributes
    ----------
    x : ndarray of shape (d,) or (d, q)
        Coefficients, in the precision of A: a column for each of several quantiles.
    objective : float, or ndarray of shape (q,)
        What is minimised, at x before it was rounded to the precision of A. Infinite
        where a large power overflows.
    duality_gap : float, or ndarray of shape (q,)
        Upper bound of the objective less its least value, from a feasible point of
        the dual problem.
    rank : int
        Of A, with columns scaled to norm one.
    n_iter : int
        Newton steps, those for fewer rows included.
    converged : bool
        Whether the gap is at most `tol` times the objective, or the objective is
        zero but for rounding.
    history : ndarray
        Estimates of the gap before each Newton step, those for fewer rows included, as
        fractions of the objective.
    """

    x: np.ndarray
    objective: float
    duality_gap: float
    rank: int


def lp_regression(
    A,
    b,
    p=1.0,
    *,
    quantile=0.5,
    sample_weight=None,
    x0=None,
    tol=1e-8,
    max_iter=100,
    n_jobs=None,
    rng=None,
    callback=None,
):
    """Minimise ``sum(sample_weight * abs(b - A @ x)**p)``.

    Least absolute residuals for p = 1, quantile regression among them; least squares for p = 2;
    the least largest residual for ``p = inf``; and all powers between. The optimum is certified by
    a duality gap.

    Parameters
    ----------
    A : array_like or sparse matrix of shape (n, d)
        float32 and float64 in any order are read as they are, memory maps too;
        other types are converted to float64, other sparse formats to CSR.
    b : array_like of shape (n,)
    p : float, default=1.0
        At least 1; ``inf`` minimises the largest absolute residual.
    quantile : float or sequence of q floats, default=0.5
        For p = 1: residuals above the fit count ``2 * quantile`` times, those below
        ``2 * (1 - quantile)`` times, which is twice the pinball loss. Several
        quantiles share work.
    sample_weight : array_like of shape (n,), default=None
        Weights of the powers; a row of weight zero does not count. For p = inf
        others than zero do not matter.
    x0 : array_like of shape (d,), or (d, q), default=None
        Where to start, if its residuals are smaller than those of least squares.
    tol : float, default=1e-8
        Duality gap to reach, as a fraction of the objective.
    max_iter : int, default=100
        Newton steps, at most, for each quantile and each problem of fewer rows on the way.
    n_jobs : int, default=None
        Threads; None takes what Numba and joblib allow. The result does not
        depend on it.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None
        Of samples of the rows and of sketches, which ill-conditioned data need; the
        solution depends on it only within `tol`.
    callback : callable, default=None
        Called after each Newton step with a dict of "n_iter" and "gap"; ends the
        iterations by returning True.

    Returns
    -------
    result : LpRegressionResult
        With the attributes x, objective, duality_gap, rank, n_iter, converged, history. Where A
        has dependent columns x is, of the coefficients with the same fitted values, that of least
        norm.

    Raises
    ------
    ValueError
        If A or b has an entry that is NaN or infinite, their lengths differ, p is less
        than 1, a quantile is not between 0 and 1 or used with another power than 1, or
        an argument is out of its range.

    Warns
    -----
    ConvergenceWarning
        If the gap is larger than `tol` allows.

    Notes
    -----
    For p = 1 the Frisch-Newton method [1]_: 10 to 20 steps, each in the time of ``n d**2``
    multiplications. From some ten thousand rows on, a sample of about ``sqrt(d) n**(2/3)`` rows
    tells the sign of most residuals: their rows add a linear term to the objective, and with it
    the few that are left open have the same solution as all, which a pass over all certifies.
    Other powers take Newton steps with a line search, from power to power where p is large, and
    p = inf an interior-point method. The memory, beside A, is some ten vectors of n numbers, and
    for p = 1 with fewer rows, or rows too unlike each other for a sample, a copy of A; sparse
    rows stay sparse.

    References
    ----------
    .. [1] S. Portnoy, R. Koenker, "The Gaussian hare and the Laplacian tortoise:
       computability of squared-error versus absolute-error estimators", Statistical
       Science 12, 1997.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.linear_model import lp_regression
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((1000, 3))
    >>> b = A @ [1.0, 2.0, 3.0]
    >>> b[:100] += 1e3  # one in ten is wrong
    >>> result = lp_regression(A, b)
    >>> result.x.round(6)
    array([1., 2., 3.])
    >>> bool(result.duality_gap <= 1e-8 * result.objective)
    True
    """
    A, Y, weights = _checked_data(A, b, sample_weight, "cpu")
    if np.ndim(b) != 1:
        raise ValueError(f"b has shape {np.shape(b)}: ({A.shape[0]},) is needed")
    p, quantiles = checked_power(p), checked_quantiles(quantile, p)
    several = np.ndim(quantile) > 0
    shape = (A.shape[1], len(quantiles)) if several else (A.shape[1],)
    x0 = None if x0 is None else _checked_start(x0, shape)
    task = checked_task(p, quantiles, tol, max_iter, n_jobs, seed_of("rng", rng), callback)
    fit = solve("A", task, A, Y[:, 0], weights, x0)
    warn_of("lp_regression", fit, max_iter, 3)
    coef = in_precision("A", fit.coef, np.result_type(A.dtype, np.float32))
    return LpRegressionResult(
        x=coef if several else coef[:, 0],
        objective=fit.objectives if several else float(fit.objectives[0]),
        duality_gap=fit.gaps if several else float(fit.gaps[0]),
        rank=fit.factor.rank_of(A.shape[1]),
        n_iter=len(fit.history),
        converged=fit.converged,
        history=np.array(fit.history),
    )


def warn_of(name, fit, max_iter, stacklevel):
    """Tell if a gap is too large, unless the callback wanted it so."""
    if fit.converged or fit.stopped:
        return
    if fit.exhausted:
        warn_not_converged(name, max_iter, stacklevel=stacklevel + 1)
    else:
        warn_convergence(
            f"{name} ended with a gap above tol times the objective: rounding leaves no smaller "
            "one for data so ill conditioned; increase tol, or scale the columns",
            stacklevel,
        )


def checked_task(p, quantiles, tol, max_iter, n_jobs, seed, callback=None, constant=False):
    """Make a task of a power and quantiles that were checked, and options that were not."""
    if n_jobs is not None:
        check_threads("n_jobs", n_jobs)
    if callback is not None and not callable(callback):
        raise ValueError(f"callback={callback!r}: a function of a dict, or None, is needed")
    return Task(
        p, quantiles, check_positive("tol", tol), check_integer("max_iter", max_iter, 1), seed,
        constant, n_jobs, callback,
    )  # fmt: skip


def checked_power(p):
    """Return a power as a float, or raise a ValueError."""
    if not isinstance(p, Real) or isinstance(p, bool) or not p >= 1:
        raise ValueError(f"p={p!r}: a number of at least 1 is needed, or infinity")
    return float(p)


def checked_quantiles(quantile, p):
    """Return quantiles as a tuple of floats, or raise a ValueError."""
    try:
        quantiles = np.atleast_1d(np.asarray(quantile))
    except ValueError:
        quantiles = np.empty(0)
    valid = quantiles.ndim == 1 and quantiles.dtype.kind == "f" and quantiles.size
    if not valid or not np.all((quantiles > 0) & (quantiles < 1)):
        raise ValueError(f"quantile={quantile!r}: numbers between 0 and 1 are needed")
    if p != 1 and (np.ndim(quantile) or quantile != 0.5):
        raise ValueError(f"quantile={quantile!r} and p={p!r}: quantiles other than 0.5 are for p=1")
    return tuple(map(float, quantiles))


def _checked_start(x0, shape):
    x0 = to_host(as_floats("x0", x0)).astype(np.float64)
    if x0.shape != shape:
        raise ValueError(f"x0 has shape {x0.shape}: {shape} is needed")
    require_finite("x0", x0)
    return x0.reshape(len(x0), -1)
