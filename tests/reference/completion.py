"""Matrix completion by its definition: every line is a small dense least-squares problem."""

import numpy as np
from scipy import optimize


def best_line(design, targets, weights, ridge, exponent, nonnegative=0):
    """Least-squares coefficients of one line; so many of the first are not negative."""
    root = np.sqrt(weights)
    penalty = np.sqrt(ridge * weights.sum() ** exponent) * np.eye(design.shape[1])
    A = np.vstack([root[:, None] * design, penalty])
    b = np.concatenate([root * targets, np.zeros(len(penalty))])
    if not nonnegative:
        return np.linalg.lstsq(A, b, rcond=1e-12)[0]
    # a number that may be negative is the difference of two that may not
    coef = optimize.nnls(np.hstack([A, -A[:, nonnegative:]]), b, maxiter=1000)[0]
    coef[nonnegative : A.shape[1]] -= coef[A.shape[1] :]
    return coef[: A.shape[1]]


def half_step(entries, n, other, other_bias, ridge, exponent, fit_bias, nonnegative=False):
    """All lines of a factor and their biases, the other factor fixed.

    Entries are (lines, others, values, weights); a pair may be there more than once.
    """
    lines, others, values, weights = entries
    k = other.shape[1]
    factor, bias = np.zeros((n, k)), np.zeros(n)
    design = np.hstack([other, np.ones((len(other), 1))]) if fit_bias else other
    for i in range(n):
        mine = lines == i
        j = others[mine]
        targets = values[mine] - other_bias[j]
        coef = best_line(
            design[j], targets, weights[mine], ridge, exponent, k if nonnegative else 0
        )
        factor[i], bias[i] = coef[:k], coef[k] if fit_bias else 0.0
    return factor, bias


def objective(entries, left, row_bias, right, column_bias, ridge, exponent):
    """Weighted sum of squares, and the ridge of every line."""
    rows, columns, values, weights = entries
    matrix = left @ right.T + row_bias[:, None] + column_bias
    total = np.sum(weights * (values - matrix[rows, columns]) ** 2)
    for lines, factor, bias in ((rows, left, row_bias), (columns, right, column_bias)):
        for i in range(len(factor)):
            size = np.sum(factor[i] ** 2) + bias[i] ** 2
            total += ridge * weights[lines == i].sum() ** exponent * size
    return total


def gradient(entries, left, row_bias, right, column_bias, ridge, exponent):
    """Half of the objective's derivatives: by left, row_bias, right, column_bias."""
    rows, columns, values, weights = entries
    shape = len(left), len(right)
    matrix = left @ right.T + row_bias[:, None] + column_bias
    gaps, amounts = np.zeros(shape), np.zeros(shape)
    np.add.at(gaps, (rows, columns), weights * (matrix[rows, columns] - values))
    np.add.at(amounts, (rows, columns), weights)
    by_row, by_column = (ridge * amounts.sum(axis=axis) ** exponent for axis in (1, 0))
    return (
        gaps @ right + by_row[:, None] * left,
        gaps.sum(axis=1) + by_row * row_bias,
        gaps.T @ left + by_column[:, None] * right,
        gaps.sum(axis=0) + by_column * column_bias,
    )


def als(entries, left, ridge, exponent, fit_bias, n_sweeps, right_shape, nonnegative=False):
    """Sweeps of half-steps from rows whose biases are zero; return both factors, and biases."""
    rows, columns, values, weights = entries
    row_bias = np.zeros(len(left))
    how = ridge, exponent, fit_bias, nonnegative
    for _ in range(n_sweeps):
        turned = columns, rows, values, weights
        right, column_bias = half_step(turned, right_shape, left, row_bias, *how)
        left, row_bias = half_step(entries, len(left), right, column_bias, *how)
    return left, row_bias, right, column_bias
