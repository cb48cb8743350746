"""Least squares by its definition: a pseudo-inverse of centred, weighted rows."""

import numpy as np


def lstsq(X, y, weights=None, alpha=0.0, fit_intercept=False):
    """Coefficients of least norm, and the constant, whose square costs nothing."""
    weights = np.ones(len(X)) if weights is None else weights
    x_mean, y_mean = np.zeros(X.shape[1]), 0.0 * y[0]
    if fit_intercept:
        x_mean, y_mean = (np.average(array, axis=0, weights=weights) for array in (X, y))
    root = np.sqrt(weights)
    rows = np.vstack([root[:, None] * (X - x_mean), np.sqrt(alpha) * np.eye(X.shape[1])])
    targets = (root * (y - y_mean).T).T
    targets = np.concatenate([targets, np.zeros((X.shape[1], *y.shape[1:]))])
    coef = np.linalg.pinv(rows, rcond=1e-11) @ targets
    return coef, y_mean - x_mean @ coef


def backward_error(A, b, x):
    """Karlson and Walden's estimate, relative to A's Frobenius norm, by a full decomposition."""
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    size = np.linalg.norm(A)
    theta, residual = size / np.linalg.norm(b), b - A @ x
    fitted = 1 + theta**2 * (x @ x)
    damping = theta**2 * (residual @ residual) / fitted
    whitened = Vt @ (A.T @ residual) / np.sqrt(s**2 + damping)
    return np.linalg.norm(whitened) * theta / np.sqrt(fitted) / size
