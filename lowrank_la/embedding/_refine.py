"""The refined mode: subspace iteration puts better rows in the place of the random ones.

A somewhat wider embedding takes a few steps, each of two products, rows divided by their
lengths, and columns whitened. Powers of these rows are added up as those of the random
ones are, and the principal components of the sum are the result. All of it takes time
that is linear in nodes and edges.
"""

import numpy as np
from scipy import linalg

from ._powers import sum_of_powers

_JITTER = 1e-6  # of the mean variance, so that no direction is divided by zero
_NOISE = 4 * float(np.finfo(np.float32).eps)  # of the whole variance: what rows in float32 leave
_START = (0.0, 1.0, 1.0)  # weights of the powers 0, 1, 2 of random rows
_STEP = (0.0, 0.0, 1.0)  # whitening after each product costs more than it helps


def whitened_rows(
    kernels, operator, columns, random_rows, n_columns, n_steps, n_threads, callback=None
):  # fmt: skip
    """Rows that span nearly the same space as the leading eigenvectors.

    Parameters
    ----------
    kernels : module
    operator : Operator
    columns : array of shape (n,) or None
        What rows that are not random are multiplied by.
    random_rows : Rows
    n_columns : int
        Of the random rows and of the result.
    n_steps : int
    n_threads : int
    callback : callable, optional
        Called with a dict after each step.

    Returns
    -------
    rows : Rows
    """
    precision = random_rows.units.dtype if random_rows.kind == "hashed" else None
    dtype = (precision or random_rows.values.dtype).type
    rows = random_rows
    for step in range(n_steps + 1):
        weights = np.array(_STEP if step else _START)
        U, _ = sum_of_powers(kernels, operator, rows, weights, n_columns, dtype, False, n_threads)
        if step:
            mean, gram = kernels.moments(U, n_threads)
            U = kernels.mapped_by_triangle(U, mean, _whitening(gram), n_threads)
        if callback:
            callback({"whitened steps": step})
        if columns is not None:
            U *= columns[:, None]
        rows = kernels.as_rows(U, n_threads)
    return rows


def _whitening(gram):
    """Return a lower triangle T with TGTᵀ = I, for a Gram matrix G that may be singular."""
    d = len(gram)
    jitter = max(_JITTER / d, _NOISE) * np.trace(gram) or 1.0
    lower = linalg.cholesky(gram + jitter * np.eye(d), lower=True)
    return linalg.solve_triangular(lower, np.eye(d), lower=True)


def principal_components(kernels, E, n_components, n_threads):
    """Mean of the rows, and the directions of most variance, of a fixed sign."""
    mean, gram = kernels.moments(E, n_threads)
    # All of them: LAPACK's way to find some alone takes longer.
    vectors = linalg.eigh(gram, driver="evd")[1][:, ::-1][:, :n_components]
    largest = np.abs(vectors).argmax(axis=0)
    return mean, vectors * np.sign(vectors[largest, np.arange(n_components)])
