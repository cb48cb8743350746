"""Powers of a matrix times given rows, and sums of the directions of their rows."""

import numpy as np

from ._cpu import Operator

_FARTHEST = 2.0**60  # lengths of rows beyond, or below its inverse, are scaled


def sum_of_powers(
    kernels, operator, start, weights, n_columns, storage, keep, n_threads, callback=None
):
    """Sum of the powers of a matrix times given rows, each row of each divided by its length.

    Parameters
    ----------
    kernels : module
    operator : Operator
        The matrix M, n x n.
    start : Rows
        U_0.
    weights : ndarray of shape (q + 1,)
        Of the powers U_k = M^k U_0.
    n_columns : int
    storage : dtype
        Of the powers between the first and the last, which is never written.
    keep : bool
        Whether to write and return all powers.
    n_threads : int
    callback : callable, optional
        Called with a dict after each power.

    Returns
    -------
    out : array of shape (n, n_columns)
        The sum over k of ``weights[k]`` times the rows of U_k divided by their lengths.
    powers : list of Rows
        U_0, ..., U_q; empty if they are not kept.
    """
    n, q = len(operator.scale), len(weights) - 1
    precision = np.float64 if storage == np.float64 else np.float32
    source, spare, out, powers, base = start, None, None, [start], operator
    for k in range(1, q + 1):
        last = k == q
        if spare is None or last:
            target = kernels.empty_rows(n, n_columns, storage, written=keep or not last)
        else:
            target, spare = spare, None
        adds = last or weights[k - 1] != 0
        fresh = adds and out is None
        if fresh:
            out = _recycled(spare, n_columns, precision)
            spare = None  # frees it, if it is not the result's
            out = kernels.empty((n, n_columns), precision) if out is None else out
        kernels.propagate(
            operator, source, target, out if adds else kernels.empty((n, 0), precision),
            weights[k - 1], weights[k] if last else 0.0, fresh, n_threads,
        )  # fmt: skip
        if keep:
            powers.append(target)
        else:
            spare = source if source.kind == target.kind else None
        if callback:
            callback({"power": k})
        source, operator = target, rescaled(base, target.norms)
    return out, powers if keep else []


def _recycled(spare, n_columns, dtype):
    """Memory of rows that nobody reads any more, if it is what the result needs."""
    if spare is None or spare.values.dtype != dtype or spare.values.shape[1] != n_columns:
        return None
    return spare.values


def rescaled(operator, norms):
    """Keep lengths from overflow, and from vanishing, by a power of two: directions stay."""
    longest = float(norms.max())
    if not longest or 1 / _FARTHEST < longest < _FARTHEST:
        return operator
    factor = operator.scale.dtype.type(2.0 ** -np.round(np.log2(longest)))
    return operator._replace(scale=operator.scale * factor)


def sum_of_new(kernels, rows, powers, weights, n_columns, dtype, n_threads):
    """Embed nodes that are not in the graph, from their edges to those that are.

    Parameters
    ----------
    kernels : module
    rows : tuple of array
        ``indptr``, ``indices`` and ``weights`` of the new rows of the adjacency.
    powers : list of Rows
        U_0, ..., U_(q-1) at least.
    weights : ndarray of shape (q + 1,)
        That of the power 0 does not count: the new nodes have no random rows.
    n_columns : int
    dtype : dtype
    n_threads : int

    Returns
    -------
    out : array of shape (n_new, n_columns)
        Its rows are sums of ``weights[k]`` times the direction of a row of
        ``P_new U_(k-1)``; factors of rows do not matter to directions.
    """
    n = len(rows[0]) - 1
    scale = np.ones(n, dtype)
    operator = Operator(*map(kernels.to_device, (*rows, scale)))
    out, fresh = kernels.empty((n, n_columns), dtype), True
    for power, weight in zip(powers, weights[1:], strict=False):
        if weight:
            target = kernels.empty_rows(n, n_columns, dtype, written=False)
            kernels.propagate(operator, power, target, out, 0.0, weight, fresh, n_threads)
            fresh = False
    return out


def reweighted(kernels, powers, weights, n_columns, dtype, n_threads):
    """Sum of the directions of kept powers, each with its weight."""
    out = kernels.empty((len(powers[0].norms), n_columns), dtype)
    terms = [(U, weight) for U, weight in zip(powers, weights, strict=False) if weight]
    kernels.mix(terms, True, out, n_threads)
    return out
