"""Subgradient descent in the factors, for absolute residuals."""

from .._support.validation import check_choice
from ._checks import check_finite, checked_task
from ._descent import Method
from ._scaled_gd import unscaled
from ._solve import solve, warn_of


def subgradient(
    A,
    y,
    rank,
    shape=None,
    *,
    symmetric=False,
    fit_intercept=False,
    step="geometric",
    step_size=0.3,
    decay=0.99,
    init_scale=1e-6,
    sample_weight=None,
    tol=1e-10,
    max_iter=5000,
    callback=None,
    rng=None,
):
    """Recover a matrix of low rank from measurements with gross errors, by subgradient steps.

    To compare with, and to study: it needs thousands of iterations, and the right rate for its
    steps. :func:`scaled_gd` with ``loss="absolute"`` needs neither.

    Parameters
    ----------
    A : array_like, sparse matrix, LinearOperator, Measurements or tuple of two callables
        What measures. Row i of an array of shape (m, n1 * n2), or (m, n1, n2), is A_i; of two
        callables the first takes a matrix to its measurements, the second is its adjoint: see
        :func:`as_measurements`.
    y : array_like of shape (m,)
        The measurements.
    rank : int
        Columns of the factors: the rank of the matrix, or more.
    shape : tuple of two int, default=None
        Of the matrix, (n1, n2); not needed where A tells it.
    symmetric : bool, default=False
        Whether the matrix is symmetric and positive semi-definite, ``left @ left.T``.
    fit_intercept : bool, default=False
        Fit a constant that is added to all measurements.
    step : {"geometric", "polyak"}, default="geometric"
        Steps that fall by a constant rate; or those for which the linear model reaches zero, where
        no measurement is wrong.
    step_size : float, default=0.3
        The first step, or the longest of Polyak's, relative to that which doubles the leading
        direction of the start.
    decay : float, default=0.99
        The rate, at most 1.
    init_scale : float, default=1e-6
        Size of the random start, relative to the matrix.
    sample_weight : array_like of shape (m,), default=None
        Weights of the absolute residuals.
    tol : float, default=1e-10
        Median of the absolute residuals to reach, relative to that of the measurements.
    max_iter : int, default=5000
        Iterations, at most.
    callback : callable, default=None
        Called after each iteration with a dict of ``n_iter``, ``residual``, ``left`` and
        ``right``; if it returns True, the descent ends.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None
        Seeds the start.

    Returns
    -------
    result : SensingResult

    Raises
    ------
    ValueError
        As :func:`scaled_gd`.

    Warns
    -----
    ConvergenceWarning
        If the iterations ran out.
    UserWarning
        As :func:`scaled_gd`.

    See Also
    --------
    scaled_gd : The method to use.

    Notes
    -----
    The subgradient is ``A*(sign(A(X) - y))`` times a factor [1]_. An iteration takes a product of
    A with factors and one of its adjoint.

    References
    ----------
    .. [1] Ma, Fattahi, "Global Convergence of Sub-gradient Method for Robust Matrix Recovery: Small
       Initialization, Noisy Measurements, and Over-parameterization", JMLR 24, 2023 (arXiv
       2202.08788).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sensing import subgradient
    >>> A = np.random.default_rng(0).normal(size=(60, 3, 3))
    >>> M = np.diag([2.0, 1.0, 0.0])
    >>> y = np.einsum("mij,ij->m", A, M)
    >>> y[:6] += 100.0  # one in ten is wrong
    >>> found = subgradient(A, y, rank=2, symmetric=True, rng=0)
    >>> bool(np.abs(found.matrix - M).max() < 1e-6)
    True
    """
    method_of = subgradient_method(step, step_size, decay)
    task, rng = checked_task(
        A, y, rank, shape, symmetric=symmetric, loss="sign", losses=("sign",),
        fit_intercept=fit_intercept, sample_weight=sample_weight, tol=tol,
        max_iter=max_iter, callback=callback, rng=rng, init_scale=init_scale,
    )  # fmt: skip
    result, _ = solve(task, method_of, rng)
    warn_of("subgradient", result, task, 3)
    return result


def subgradient_method(step="geometric", step_size=0.3, decay=0.99):
    """Return a function of a scale that makes the method, from checked options."""
    check_choice("step", step, ("geometric", "polyak"))
    step_size, decay = check_finite("step_size", step_size), check_finite("decay", decay)
    if decay > 1:
        raise ValueError(f"decay={decay!r}: a number of at most 1 is needed")

    def method_of(scale):
        def precondition(factors, gradient, residual):
            return unscaled(factors, gradient, scale)

        def geometric(problem, point, direction, n_iter):
            return _moved(problem, point, direction, step_size * decay**n_iter)

        def polyak(problem, point, direction, n_iter):
            slope = scale.slope * direction.dot(direction)
            size = problem.loss.value(point.prediction) / slope
            return _moved(problem, point, direction, min(step_size, size))

        return Method(precondition, geometric if step == "geometric" else polyak)

    return method_of


def _moved(problem, point, direction, size):
    return problem.measured(point.factors.plus(-size, direction), point.constant)
