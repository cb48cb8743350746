"""A graph in any form, as the matrix that FastRP multiplies by."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from .._support.cuda import is_device_array
from .._support.validation import as_floats, checked_sparse
from ._cpu import Operator, row_sums

SIMILARITIES = ("walk", "adjacency", "symmetric")
ORIENTATIONS = ("natural", "reverse", "undirected")
_MODERATE = 1e10  # weights beyond, or below its inverse, are scaled
_TINY = 1e-30  # degrees below, of weights of moderate size: float32 holds no inverse of much less
_ROUNDING = 1e-6  # of the largest weight: how far a symmetric matrix may be from its transpose
_CHUNK = 1 << 22  # entries
_NEEDED = "a matrix, sparse or dense, or a graph of networkx is needed"


class Graph(NamedTuple):
    """A matrix to multiply by, and what the rows of the projection are multiplied by."""

    operator: Operator
    start: np.ndarray  # (n,), positive
    columns: np.ndarray | None  # (n,): what any other rows are multiplied by; None for ones
    n_rows: int  # of the input; a bipartite graph has nodes beyond
    divisors: np.ndarray | None  # (n,): what the entries of new rows are divided by; None for ones


def is_networkx(A):
    """Whether A is a graph of networkx."""
    return hasattr(A, "nodes") and hasattr(A, "adj")


def as_csr(A, name="A"):
    """Rows of a sparse or dense matrix, or of a graph of networkx; not copied if they are CSR.

    Raises
    ------
    ValueError
        If A is no matrix of real numbers, or its indices are not those of one.
    """
    if is_networkx(A):
        A = _of_networkx(A, name)
    if hasattr(A, "indptr") and is_device_array(A.indptr):
        A = A.get()
    if not sparse.issparse(A):
        A = _dense(A, name)
    if A.ndim != 2:
        raise ValueError(f"{name} has {A.ndim} dimensions: {_NEEDED}")
    if A.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} has dtype {A.dtype}: real numbers are needed; not edges, but their matrix"
        )
    return sparse.csr_array(checked_sparse(name, A))


def _of_networkx(graph, name):
    """Adjacency matrix of a graph, in the order of its nodes."""
    import networkx

    if not len(graph):
        raise ValueError(f"{name} has no nodes: a graph of at least two nodes is needed")
    try:
        return networkx.to_scipy_sparse_array(graph, format="csr")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} has weights that are not real numbers: {error}") from error


def _dense(A, name):
    A = as_floats(name, A)
    if A.ndim != 2:
        raise ValueError(f"{name} has {A.ndim} dimensions: {_NEEDED}")
    return sparse.csr_array(A)


def check_square(A, name="A"):
    """Refuse a matrix that is no graph of at least two nodes."""
    if A.shape[0] != A.shape[1]:
        raise ValueError(
            f"{name} has shape {A.shape}: the adjacency matrix of a graph is square; pass "
            "bipartite=True if rows and columns are different nodes"
        )


def oriented(A, orientation, bipartite, name="A"):
    """Adjacency matrix whose rows name the nodes that are gathered."""
    if min(A.shape) < 1 or max(A.shape) + bipartite < 2:
        raise ValueError(f"{name} has shape {A.shape}: a graph of at least two nodes is needed")
    if bipartite:
        if orientation != "natural":
            raise ValueError(f"orientation={orientation!r}: a bipartite graph has none")
        return sparse.block_array([[None, A], [A.T, None]], format="csr")
    check_square(A, name)
    if orientation == "reverse":
        return A.T.tocsr()
    if orientation == "undirected":
        A = _as_floating(A)  # True + True would be True
        return (A + A.T).tocsr()
    return A


def _as_floating(A):
    return A if A.dtype.kind == "f" else A.astype(np.float64)


def is_symmetric(A):
    """Whether a square matrix equals its transpose, up to rounding."""
    A = _as_floating(A)
    difference = (A - A.T).tocsr()
    return abs(difference.data).max(initial=0) <= _ROUNDING * abs(A.data).max(initial=0)


def entry_weights(A, name, empty=False):
    """Weights of the entries, of moderate size, and their unit; none if all are alike."""
    data = A.data
    least, most = (float(data.min()), float(data.max())) if len(data) else (0.0, 0.0)
    if not np.isfinite(least + most):
        raise ValueError(f"{name} contains NaN or inf: all weights must be finite")
    largest = max(abs(least), abs(most))
    if not largest and not empty:
        raise ValueError(f"{name} has no edges: there is nothing to embed")
    if least == most > 0 or not len(data):
        return np.empty(0), largest
    if largest and not 1 / _MODERATE < largest < _MODERATE:
        return data.astype(np.float64) / largest, largest
    return as_floats(name, data), 1.0


def _degrees(matrix, weights, n_threads):
    """Sum the weights of each row, and their sizes."""
    if len(weights):
        return row_sums(matrix.indptr, weights, n_threads)
    counts = np.diff(matrix.indptr).astype(np.float64)
    return counts, counts


def _column_sums(matrix, weights, name):
    """Sum the weights of each column: some at a time, since NumPy makes copies in 64 bits."""
    n, m = matrix.shape[1], len(matrix.indices)
    sums = np.zeros(n)
    for part in (slice(lo, lo + max(n, _CHUNK)) for lo in range(0, m, max(n, _CHUNK))):
        sums += np.bincount(matrix.indices[part], weights[part] if len(weights) else None, n)
    if (sums < 0).any():
        raise ValueError(f"Negative values in data: a column of {name} sums to less than zero")
    return sums


def _power(values, unit, exponent):
    """Numbers in a unit to a power, the largest result 1; what is not positive counts as one."""
    positive = values > 0
    logs = exponent * np.where(positive, np.log(np.where(positive, values, 1.0)) + np.log(unit), 0)
    return np.exp(logs - logs.max())


def _divided(A, weights, rows, columns=None):
    """Weights divided by a number of their row, and one of their column, in float64."""
    quotients = weights / np.repeat(rows, np.diff(A.indptr))
    return quotients if columns is None else quotients / columns[A.indices]


def _check_degrees(degrees, sizes, name):
    bad = (degrees <= 0) & (sizes > 0)
    if bad.any():
        raise ValueError(
            f"Negative values in data: the weights of row {int(bad.argmax())} of {name} sum to "
            f"{degrees[bad][0]:g}, and a degree must be positive; similarity='adjacency' with "
            "normalization_strength=0 needs no degrees"
        )


def as_graph(A, similarity, strength, dtype, n_rows, n_threads, name="A"):
    """Return the graph of an oriented adjacency matrix in CSR form.

    Parameters
    ----------
    A : sparse matrix of shape (n, n)
    similarity : {"walk", "adjacency", "symmetric"}
    strength : float
        What power of its degree the random row of a node is multiplied by.
    dtype : dtype
        Of the weights, where they are not all alike.
    n_rows : int
    n_threads : int
    name : str, default="A"
        What to call A in messages.

    Returns
    -------
    graph : Graph

    Raises
    ------
    ValueError
        If there are no edges, weights are not finite, or a degree that is divided by
        is not positive.
    """
    weights, unit = entry_weights(A, name)
    degrees, sizes = _degrees(A, weights, n_threads)
    if similarity != "adjacency" or strength:
        _check_degrees(degrees, sizes, name)
    start = _power(degrees, unit, strength)
    scale, roots, divisors = np.ones(len(degrees)), None, None
    if similarity != "adjacency":
        scale = (degrees > 0).astype(np.float64)  # the inverse of zero is taken for zero
        columns = _column_sums(A, weights, name) if similarity == "symmetric" else None
        rows, columns, tiny = _denominators(degrees, columns)
        if tiny:
            weights, divisors = _divided(A, weights, rows, columns), columns
        elif columns is None:
            scale = scale / rows  # D^-1
        else:
            # With rows divided by the square root of the columns' degrees, D^-1/2 A D^-1/2 takes
            # one factor to a row; the directions of rows, which alone count, stay the same.
            roots = 1 / columns
            scale, start = scale / rows * roots, start * roots
    arrays = (A.indptr, A.indices, weights.astype(dtype, copy=False), scale.astype(dtype))
    return Graph(Operator(*arrays), start / start.max(), roots, n_rows, divisors)


def _denominators(degrees, columns):
    """Find what entries are divided by, row by row and column by column; whether some is tiny."""
    rows = np.where(degrees > 0, degrees, 1.0)
    if columns is None:
        return rows, None, rows.min() < _TINY
    columns = np.where(columns > 0, columns, 1.0)
    tiny = min(rows.min(), columns.min()) < _TINY
    return np.sqrt(rows), np.sqrt(columns), tiny


def new_rows(A, divisors, dtype, n_threads, name):
    """Rows of nodes that are not in the graph: ``indptr``, ``indices`` and weights.

    Only the direction of what they add up to counts, so that rows of tiny or huge
    weights are scaled.
    """
    weights = entry_weights(A, name, empty=True)[0]
    if divisors is not None:
        weights = (weights if len(weights) else np.ones(A.nnz)) / divisors[A.indices]
    sizes = _degrees(A, weights, n_threads)[1]
    wide = (sizes > 0) & ~((sizes > _TINY) & (sizes < 1 / _TINY))
    if wide.any():
        weights = _divided(A, weights, np.where(wide, sizes, 1.0))
    return A.indptr, A.indices, weights.astype(dtype, copy=False)
