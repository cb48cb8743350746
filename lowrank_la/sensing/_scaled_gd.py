"""Gradient descent in the factors, in the metric that they make or in the plain one."""

import numpy as np
from scipy.linalg import solve as solve_linear

from .._support.validation import check_choice, check_positive
from ._checks import checked_task
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
    tol=1e-10,
    max_iter=500,
    callback=None,
    rng=None,
):
    """TODO."""
    task, rng = checked_task(
        A, y, rank, shape, symmetric=symmetric, loss=loss, alpha=alpha,
        fit_intercept=fit_intercept, sample_weight=sample_weight, early_stopping=early_stopping,
        validation_fraction=validation_fraction, tol=tol, max_iter=max_iter, callback=callback,
        rng=rng, init_scale=init_scale,
    )  # fmt: skip
    method_of = scaled_method(damping, damping_size, step_size, early_stopping)
    result, _ = solve(task, method_of, rng)
    warn_of("scaled_gd", result, task, 2)
    return result


def scaled_method(damping="adaptive", damping_size=0.1, step_size=None, early_stopping=False):
    """Return a function of a scale that makes the method, from checked options."""
    check_choice("damping", damping, ("adaptive", "constant"))
    size = check_positive("damping_size", damping_size)
    if step_size is not None:
        step_size = check_positive("step_size", step_size)
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
    """TODO."""
    task, rng = checked_task(
        A, y, rank, shape, symmetric=symmetric, loss=loss, alpha=alpha,
        fit_intercept=fit_intercept, sample_weight=sample_weight, early_stopping=early_stopping,
        validation_fraction=validation_fraction, tol=tol, max_iter=max_iter, callback=callback,
        rng=rng, init_scale=init_scale, imbalance=imbalance,
    )  # fmt: skip
    result, _ = solve(task, plain_method(step_size), rng)
    warn_of("gradient_descent", result, task, 2)
    return result


def plain_method(step_size=_STEP):
    """Return a function of a scale that makes the method, from checked options."""
    step_size = check_positive("step_size", step_size)

    def method_of(scale):
        def precondition(factors, gradient, residual):
            return unscaled(factors, gradient, scale)

        return Method(precondition, fixed_step(step_size))

    return method_of


def unscaled(factors, gradient, scale):
    """Gradient in units in which a step size has none."""
    unit = scale.norm * scale.curvature
    left = gradient.left / unit
    return Factors(left, left if factors.symmetric else gradient.right / unit)
