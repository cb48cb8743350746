"""A graph in any form, as the matrix that FastRP multiplies by."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from .._support.cuda import is_device_array
from .._support.validation import as_floats
from ._cpu import Operator, row_sums

SIMILARITIES = ("walk", "adjacency", "symmetric")
ORIENTATIONS = ("natural", "reverse", "undirected")
_MODERATE = 1e10  # weights beyond, or below its inverse, are scaled


class Graph(NamedTuple):
    """A matrix to multiply by, and what the rows of the projection are multiplied by."""

    operator: Operator
    start: np.ndarray  # (n,), positive
    columns: np.ndarray | None  # (n,): what any other rows are multiplied by; None for ones
    n_rows: int  # of the input; a bipartite graph has nodes beyond


def is_networkx(A):
    """Whether A is a graph of networkx."""
    return hasattr(A, "nodes") and hasattr(A, "adj")


def as_csr(A, name="A"):
    """Rows of a sparse or dense matrix, or of a graph of networkx; not copied if they are CSR."""
    if is_networkx(A):
        import networkx

        return networkx.to_scipy_sparse_array(A, format="csr")
    if hasattr(A, "indptr") and is_device_array(A.indptr):
        A = A.get()
    if not sparse.issparse(A):
        A = _dense(A, name)
    if A.dtype.kind not in "fiub":
        raise ValueError(f"{name} has dtype {A.dtype}: real numbers are needed")
    A = A.tocsr()
    # SciPy notes on a matrix what it finds out about it; the caller's is left alone.
    return sparse.csr_array((A.data, A.indices, A.indptr), shape=A.shape)


def _dense(A, name):
    A = as_floats(name, A)
    if A.ndim != 2:
        raise ValueError(
            f"{name} has {A.ndim} dimensions: a matrix, sparse or dense, or a graph of networkx is "
            "needed"
        )
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
    if min(A.shape) < 1 or sum(A.shape) < 3:
        raise ValueError(f"{name} has shape {A.shape}: a graph of at least two nodes is needed")
    if bipartite:
        if orientation != "natural":
            raise ValueError(f"orientation={orientation!r}: a bipartite graph has none")
        return sparse.block_array([[None, A], [A.T, None]], format="csr")
    check_square(A, name)
    if orientation == "reverse":
        return A.T.tocsr()
    if orientation == "undirected":
        A = A if A.dtype.kind == "f" else A.astype(np.float64)  # True + True would be True
        return (A + A.T).tocsr()
    return A


def entry_weights(A, dtype, name, empty=False):
    """Weights of the entries, of moderate size, and their unit; none if all are alike."""
    data = A.data
    least, most = (float(data.min()), float(data.max())) if len(data) else (0.0, 0.0)
    if not np.isfinite(least + most):
        raise ValueError(f"{name} contains NaN or inf: all weights must be finite")
    largest = max(abs(least), abs(most))
    if not largest and not empty:
        raise ValueError(f"{name} has no edges: there is nothing to embed")
    if least == most > 0 or not len(data):
        return np.empty(0, dtype), largest
    unit = largest if largest and not 1 / _MODERATE < largest < _MODERATE else 1.0
    return (data if unit == 1.0 else data / unit).astype(dtype, copy=False), unit


def _degrees(matrix, weights, n_threads):
    """Sum the weights of each row, and their sizes."""
    if len(weights):
        return row_sums(matrix.indptr, weights, n_threads)
    counts = np.diff(matrix.indptr).astype(np.float64)
    return counts, counts


def _column_sums(matrix, weights):
    return np.bincount(matrix.indices, weights if len(weights) else None, matrix.shape[1])


def _power(values, unit, exponent):
    """Numbers in a unit to a power, the largest result 1; what is not positive counts as one."""
    positive = values > 0
    logs = exponent * np.where(positive, np.log(np.where(positive, values, 1.0)) + np.log(unit), 0)
    return np.exp(logs - logs.max())


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
    weights, unit = entry_weights(A, dtype, name)
    degrees, sizes = _degrees(A, weights, n_threads)
    bad = (degrees <= 0) & (sizes > 0)
    if bad.any() and (similarity != "adjacency" or strength):
        raise ValueError(
            f"Negative values in data: the weights of row {int(bad.argmax())} of {name} sum to "
            f"{degrees[bad][0]:g}, and a degree must be positive; similarity='adjacency' with "
            "normalization_strength=0 needs no degrees"
        )
    with np.errstate(divide="ignore"):
        inverse = np.where(degrees > 0, 1 / degrees, 0.0)
    start, roots = _power(degrees, unit, strength), None
    if similarity == "adjacency":
        scale = np.ones(len(degrees))
    elif similarity == "walk":
        scale = inverse  # D^-1
    else:
        # With rows divided by the square root of the columns' degrees, D^-1/2 A D^-1/2 takes one
        # factor to a row; the directions of rows, which alone count, stay the same.
        columns = _column_sums(A, weights)
        if (columns < 0).any():
            raise ValueError(f"Negative values in data: a column of {name} sums to less than zero")
        roots = 1 / np.sqrt(np.where(columns > 0, columns, 1.0))
        scale, start = np.sqrt(inverse) * roots, start * roots
    arrays = (A.indptr, A.indices, weights, scale.astype(dtype))
    return Graph(Operator(*arrays), start / start.max(), roots, n_rows)
