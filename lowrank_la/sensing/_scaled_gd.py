"""Gradient descent in the factors, in the metric that they make or in the plain one."""

import numpy as np
from scipy.linalg import solve as solve_linear

from .._support.validation import check_choice
from ._checks import check_finite, checked_task
from ._descent import Method, exact_step, fixed_step
from ._problem import Factors
from ._solve import solve, warn_of

_STEP = 0.3  # of the least step that overshoots: small steps fit noise later than the matrix


def scaled_gd(
    A,
    y,
    rank,
    shape=None,
    *,
    symmetric=False,
    loss="squared",
    alpha=0.0,
    fit_intercept=False,
    damping="adaptive",
    damping_size=0.1,
    step_size=None,
    init_scale=1e-6,
    sample_weight=None,
    early_stopping=False,
    validation_fraction=0.1,
    tol=1e-11,
    max_iter=1000,
    callback=None,
    rng=None,
):
    """Recover a matrix of low rank from linear measurements ``y_i = <A_i, M>``.

    The rank need not be known, and neither do the condition number, the size of the matrix or that
    of the A_i: the iterations hardly depend on them.

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
    loss : {"squared", "huber", "absolute"}, default="squared"
        "absolute" is for gross errors, in up to nearly half of the measurements: on the way
        residuals beyond four times their median do not count, and where the others do not vanish,
        absolute residuals are minimised at the end, rounded off within a hundredth of their median.
        "huber" counts residuals beyond 1.345 standard deviations, told from the median, by their
        size.
    alpha : float, default=0.0
        The mean loss (half of the mean square) and alpha times the nuclear norm are minimised. Its
        unit is that of y, times that of A.
    fit_intercept : bool, default=False
        Fit a constant that is added to all measurements. It takes the mean of the A_i out, too:
        for measurements of the form ``a' M a`` one is fitted on the way, and taken away at the end,
        even where it is not asked for.
    damping : {"adaptive", "constant"}, default="adaptive"
        What is added to the Gram matrices of the factors: a constant share of the norm of the
        matrix, as published, or this share or the relative residual, if that is less.
    damping_size : float, default=0.1
        The share. The published constant is at most that of the least singular value.
    step_size : float, default=None
        None goes to the least loss along conjugate directions. A number takes steps along the
        preconditioned gradient, as published; one is about the best for a single direction,
        0.3 to 0.5 are safe. Steps that would raise the loss are halved.
    init_scale : float, default=1e-6
        Size of the random start, relative to the matrix.
    sample_weight : array_like of shape (m,), default=None
        Weights of the losses; a weight of 2 counts as a measurement that comes twice.
    early_stopping : bool, default=False
        Hold measurements out, take steps of 0.3 from the small start, end when those held out
        are met no better in 20 iterations, and keep the best. For noise, and a rank that is not
        known: what is fitted late is noise.
    validation_fraction : float, default=0.1
        Share of the measurements that is held out.
    tol : float, default=1e-11
        Relative residual ``|A(X) - y| / |y|`` to reach (of medians for robust losses); at least
        ten times the precision. Where steps are exact, a loss that falls by less than
        ``sqrt(tol)`` of itself in five iterations has converged, too: with noise there is no more
        to reach.
    max_iter : int, default=1000
        Iterations, at most.
    callback : callable, default=None
        Called after each iteration with a dict of ``n_iter``, ``residual``, ``left`` and
        ``right``; if it returns True, the descent ends.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None
        Seeds the start, and what is held out.

    Returns
    -------
    result : SensingResult

    Raises
    ------
    ValueError
        If values are not finite, shapes do not fit, an argument is out of its range, or A and its
        adjoint do not match.

    Warns
    -----
    ConvergenceWarning
        If the iterations ran out.
    UserWarning
        If the rank is more than the matrix can have; it is clipped. If the measurements are fewer
        than what a matrix of this rank has degrees of freedom.

    See Also
    --------
    LowRankRegressor : The estimator.
    gradient_descent, subgradient : Other methods, to compare with.
    lowrank_la.completion.complete : Measurements that are entries, with noise, biases and gaps.

    Notes
    -----
    Measurements that keep norms of matrices of twice the rank, about, determine the matrix; a
    multiple of ``rank * (n1 + n2)`` random ones do. Each factor moves along
    its gradient times the inverse of the Gram matrix of the other, to which a little is added
    [1]_. With fixed small steps and a constant it is proved that the iterations grow with the
    logarithms of the condition number and of the accuracy alone, up to an error that the small
    start bounds. With a constant, and more columns than the rank, they stall; with one that falls
    with the residual [2]_ they do not. Directions are conjugate by Polak's and Ribiere's formula
    in the metric of the Gram matrices, and the step is exact: along a line the loss is a
    polynomial of the fourth degree whose coefficients take two products. This is measured, not
    proved.

    An iteration takes two products of A with factors (one where the steps are of a fixed size), one
    of its adjoint, and ``O((n1 + n2) rank^2)`` operations.

    References
    ----------
    .. [1] Xu, Shen, Chi, Ma, "The Power of Preconditioning in Overparameterized Low-Rank Matrix
       Sensing", ICML 2023 (arXiv 2302.01186).
    .. [2] Zhang, Fattahi, Zhang, "Preconditioned Gradient Descent for Over-Parameterized Nonconvex
       Matrix Factorization", NeurIPS 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sensing import scaled_gd
    >>> rng = np.random.default_rng(0)
    >>> M = np.outer([1.0, 2.0, 3.0, 4.0], [1.0, 0.0, -1.0, 2.0, 1.0])
    >>> A = rng.normal(size=(40, 4, 5))
    >>> found = scaled_gd(A, np.einsum("mij,ij->m", A, M), rank=2, rng=0)
    >>> found.rank, bool(np.abs(found.matrix - M).max() < 1e-8)
    (1, True)
    """
    method_of = scaled_method(damping, damping_size, step_size, early_stopping)
    task, rng = checked_task(
        A, y, rank, shape, symmetric=symmetric, loss=loss, alpha=alpha,
        fit_intercept=fit_intercept, sample_weight=sample_weight, early_stopping=early_stopping,
        validation_fraction=validation_fraction, tol=tol, max_iter=max_iter, callback=callback,
        rng=rng, init_scale=init_scale,
    )  # fmt: skip
    result, _ = solve(task, method_of, rng)
    warn_of("scaled_gd", result, task, 3)
    return result


def scaled_method(damping="adaptive", damping_size=0.1, step_size=None, early_stopping=False):
    """Return a function of a scale that makes the method, from checked options."""
    check_choice("damping", damping, ("adaptive", "constant"))
    size = check_finite("damping_size", damping_size)
    if step_size is not None:
        step_size = check_finite("step_size", step_size)
    elif early_stopping:
        step_size = _STEP

    def method_of(scale):
        def precondition(factors, gradient, residual):
            share = min(size, residual) if damping == "adaptive" else size
            return scaled(factors, gradient, share * scale.norm, scale.curvature)

        if step_size is None:
            return Method(precondition, exact_step, conjugate=True)
        return Method(precondition, fixed_step(step_size))

    return method_of


def scaled(factors, gradient, damping, unit):
    """Gradient times the inverses of the damped Gram matrices of the other factor."""
    to_left = _divided(gradient.left, factors.right, damping, unit)
    if factors.symmetric:
        return Factors(to_left, to_left)
    return Factors(to_left, _divided(gradient.right, factors.left, damping, unit))


def _divided(gradient, factor, damping, unit):
    gram = factor.T @ factor
    gram.flat[:: len(gram) + 1] += damping + np.finfo(float).tiny
    return solve_linear(gram, gradient.T / unit, assume_a="pos").T


def gradient_descent(
    A,
    y,
    rank,
    shape=None,
    *,
    symmetric=False,
    loss="squared",
    alpha=0.0,
    fit_intercept=False,
    step_size=0.3,
    init_scale=1e-6,
    imbalance=1.0,
    sample_weight=None,
    early_stopping=False,
    validation_fraction=0.1,
    tol=1e-10,
    max_iter=5000,
    callback=None,
    rng=None,
):
    """Recover a matrix of low rank by gradient descent in its factors.

    To compare with, and to study: its iterations grow with the condition number, and with more
    columns than the rank it slows down ever more. :func:`scaled_gd` does neither.

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
    loss : {"squared", "huber", "absolute"}, default="squared"
        As for :func:`scaled_gd`.
    alpha : float, default=0.0
        The mean loss and alpha times the nuclear norm are minimised.
    fit_intercept : bool, default=False
        Fit a constant that is added to all measurements.
    step_size : float, default=0.3
        Relative to the step for which one direction is fitted at once. Steps that would raise the
        loss are halved.
    init_scale : float, default=1e-6
        Size of the random start, relative to the matrix. From a small one, singular values are
        learned one after the other [1]_.
    imbalance : float, default=1.0
        How much smaller the right factor starts than the left one. With 3, and an `init_scale`
        of about 0.5, convergence is linear even if there are more columns than the rank [2]_;
        for matrices that are not symmetric.
    sample_weight : array_like of shape (m,), default=None
        Weights of the losses.
    early_stopping : bool, default=False
        Hold measurements out, end when these are met no better in 20 iterations, and keep the
        best.
    validation_fraction : float, default=0.1
        Share of the measurements that is held out.
    tol : float, default=1e-10
        Relative residual to reach. With noise it is not reached: see `early_stopping`.
    max_iter : int, default=5000
        Iterations, at most.
    callback : callable, default=None
        Called after each iteration with a dict of ``n_iter``, ``residual``, ``left`` and
        ``right``; if it returns True, the descent ends.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None
        Seeds the start, and what is held out.

    Returns
    -------
    result : SensingResult

    Raises
    ------
    ValueError
        As :func:`scaled_gd`; if a symmetric start is to be imbalanced.

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
    An iteration takes a product of A with factors and one of its adjoint.

    References
    ----------
    .. [1] Jin, Li, Lyu, Du, Lee, "Understanding Incremental Learning of Gradient Descent: A
       Fine-grained Analysis of Matrix Sensing", ICML 2023 (arXiv 2301.11500).
    .. [2] Xiong, Ding, Du, "How Over-Parameterization Slows Down Gradient Descent in Matrix
       Sensing: The Curses of Symmetry and Initialization", ICLR 2024 (arXiv 2310.01769).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sensing import gradient_descent
    >>> A = np.random.default_rng(0).normal(size=(60, 3, 3))
    >>> M = np.diag([2.0, 1.0, 0.0])
    >>> found = gradient_descent(A, np.einsum("mij,ij->m", A, M), rank=2, symmetric=True, rng=0)
    >>> np.round(found.matrix, 6) + 0.0
    array([[2., 0., 0.],
           [0., 1., 0.],
           [0., 0., 0.]])
    """
    method_of = plain_method(step_size)
    task, rng = checked_task(
        A, y, rank, shape, symmetric=symmetric, loss=loss, alpha=alpha,
        fit_intercept=fit_intercept, sample_weight=sample_weight, early_stopping=early_stopping,
        validation_fraction=validation_fraction, tol=tol, max_iter=max_iter, callback=callback,
        rng=rng, init_scale=init_scale, imbalance=imbalance,
    )  # fmt: skip
    result, _ = solve(task, method_of, rng)
    warn_of("gradient_descent", result, task, 3)
    return result


def plain_method(step_size=_STEP):
    """Return a function of a scale that makes the method, from checked options."""
    step_size = check_finite("step_size", step_size)

    def method_of(scale):
        def precondition(factors, gradient, residual):
            return unscaled(factors, gradient, scale)

        return Method(precondition, fixed_step(step_size))

    return method_of


def unscaled(factors, gradient, scale):
    """Gradient in units in which a step size has none."""
    left = gradient.left / scale.slope
    return Factors(left, left if factors.symmetric else gradient.right / scale.slope)
