"""Corrections of a least-squares solution, and the backward error that tells when they suffice."""

import numpy as np
from scipy import linalg

from .._support.blas import single_threaded_blas
from ._factor import EPS

_STABLE = EPS / 8  # Householder's QR factorisation ends near a quarter of EPS
_MAX_PASSES = 10


@single_threaded_blas()
def backward_error(factor, gradient, coef, squares, norms, target_norms):
    """Estimate how little the design would have to change for the coefficients to solve it.

    The largest of the targets' Karlson-Walden estimates, for columns of norm one and
    relative to their Frobenius norm: it does not depend on the columns' units.

    Parameters
    ----------
    factor : Factor
    gradient : ndarray of shape (d, k)
        ``design.T @ residuals``.
    coef : ndarray of shape (d, k)
    squares : ndarray of shape (k,)
        Of the residuals' norms.
    norms : ndarray of shape (d,)
        Of the design's columns.
    target_norms : ndarray of shape (k,)

    Returns
    -------
    error : float
    """
    if not norms.any():
        return 0.0
    units = np.where(norms > 0, norms, 1.0)
    gradient, coef = gradient / units[:, None], coef * norms[:, None]
    core, basis = factor.core, units[:, None] * factor.basis
    gram, metric = core.T @ core, basis.T @ basis
    frobenius, errors = np.sqrt(np.count_nonzero(norms)), [0.0]
    for t in np.flatnonzero(target_norms):
        theta = frobenius / target_norms[t]
        fitted = 1 + (theta * linalg.norm(coef[:, t])) ** 2
        damping = theta**2 * squares[t] / fitted
        try:
            triangle = linalg.cholesky(gram + damping * metric)
        except (linalg.LinAlgError, ValueError):  # an ill conditioned basis, or an overflow
            stacked = np.vstack([core, np.sqrt(damping) * basis])
            triangle = linalg.qr(stacked, mode="r")[0][: len(core)]
        whitened = linalg.solve_triangular(triangle, basis.T @ gradient[:, t], trans=1)
        errors.append(linalg.norm(whitened) * theta / np.sqrt(fitted) / frobenius)
    return max(errors)


def corrected(design, factor, coef, norms):
    """Correct coefficients until they are as good as rounding allows.

    Corrected semi-normal equations (Björck 1987), with any factor that is good enough for the
    corrections to shrink.

    Parameters
    ----------
    design : Design
    factor : Factor
    coef : ndarray of shape (d, k)
    norms : ndarray of shape (d,)
        Of the design's columns, or about.

    Returns
    -------
    coef : ndarray of shape (d, k)
    squares : ndarray of shape (k,)
        Of the residuals' norms.
    errors : list of float
        Backward errors; that of the coefficients is the least one, or less.
    """
    errors, size = [], np.inf
    while True:
        gradient, squares = design.gradient(coef)
        sizes = norms, design.target_norms
        errors.append(backward_error(factor, gradient, coef, squares, *sizes))
        if not np.isfinite(errors[-1]):
            raise FloatingPointError
        if errors[-1] == min(errors):
            best = coef, squares
        done = errors[-1] <= _STABLE
        stuck = len(errors) > 2 and not min(errors[-2:]) < errors[-3] / 2
        if (done and factor.passes) or stuck or len(errors) == _MAX_PASSES:
            return *best, errors
        step = factor.solve(gradient)
        last, size = size, linalg.norm(step * norms[:, None])
        if done:  # a last step costs no pass; below what rounding allows, steps do not shrink
            return coef + step if size < last / 2 else coef, squares, errors
        coef = coef + step
