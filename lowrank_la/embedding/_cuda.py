"""Loops of FastRP on a GPU: the twins of `_cpu`.

A block of threads makes a row of the product at a time, scales it and measures its
length; what is done to whole arrays is CuPy's.
"""

import numpy as np

from .._kernels.rng import _MASK, _SHIFT, gaussian_pair, philox
from .._support.cuda import THREADS, cuda, cuda_kernel, device_function, to_device, to_host, xp
from ._cpu import (
    _VANISHED,
    HASHED,
    LARGEST,
    SPARSE,
    Rows,
    padded,
    sparse_entry,
    sparse_law,
)

__all__ = ["to_device", "to_host"]

_CHUNK = 1 << 16  # rows of a product at a time
_philox = device_function(philox)
_sparse_entry, _gaussian_pair = device_function(sparse_entry), device_function(gaussian_pair)


def empty(shape, dtype):
    """Memory on the GPU."""
    return xp.empty(shape, dtype)


def empty_rows(n, n_columns, dtype, written=True):
    """Memory for rows, or for their lengths alone if the rows are not to be written."""
    stored = n if written else 0
    units = xp.empty(stored if dtype == np.int8 else 0, np.float32)
    return Rows(xp.empty((stored, padded(n_columns)), dtype), units, xp.empty(n))


def as_rows(values, n_threads):
    """Rows of an array, padded by zeros if they must be."""
    rows = xp.zeros((len(values), padded(values.shape[1])), values.dtype)
    rows[:, : values.shape[1]] = values
    return Rows(rows, xp.empty(0, np.float32), lengths(values))


def lengths(values, n_threads=None):
    """Lengths of rows, in float64."""
    return xp.sqrt((values.astype(np.float64) ** 2).sum(axis=1))


# --- products


def _gather(first, indptr, indices, weights, scale, values, units, out, squares):
    # A block of threads to a row: (n, padded) (n,) in; (chunk, padded) (chunk,) out
    parts = cuda.shared.array(THREADS, np.float64)
    for r in range(cuda.blockIdx.x, out.shape[0], cuda.gridDim.x):
        i, mine = first + r, 0.0
        for c in range(cuda.threadIdx.x, out.shape[1], cuda.blockDim.x):
            total = 0.0
            for e in range(indptr[i], indptr[i + 1]):
                j = indices[e]
                term = np.float64(values[j, c])
                if weights.size:
                    term *= np.float64(weights[e])
                if units.size:
                    term *= np.float64(units[j])
                total += term
            total *= np.float64(scale[i])
            out[r, c] = total
            mine += total * total
        parts[cuda.threadIdx.x] = mine
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            square = 0.0
            for t in range(cuda.blockDim.x):
                square += parts[t]
            squares[r] = square
        cuda.syncthreads()


def _gather_hashed(first, indptr, indices, weights, scale, values, units, out, squares):
    # A thread to a row of `out`, which is clear.
    for r in range(cuda.grid(1), out.shape[0], cuda.gridsize(1)):
        i, square = first + r, 0.0
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            weight = np.float64(weights[e]) if weights.size else 1.0
            out[r, values[j]] += weight * np.float64(units[j])
        for c in range(out.shape[1]):
            out[r, c] *= np.float64(scale[i])
            square += np.float64(out[r, c]) * np.float64(out[r, c])
        squares[r] = square


_CSR = "int64, int32[::1], int32[::1], T[::1], T[::1], "
GATHER = {
    "float": cuda_kernel(_CSR + "T[:, ::1], float32[::1], T[:, ::1], float64[::1]")(_gather),
    "int8": cuda_kernel(_CSR + "int8[:, ::1], float32[::1], T[:, ::1], float64[::1]")(_gather),
    "hashed": cuda_kernel(_CSR + "int32[::1], T[::1], T[:, ::1], float64[::1]")(_gather_hashed),
}


def _directions(rows, part, n_columns):
    """Rows of unit length, and zeros for those that are zero."""
    norms = rows.norms[part]
    inverse = xp.where(norms > _VANISHED, 1 / xp.where(norms > _VANISHED, norms, 1.0), 0.0)
    if rows.kind == "hashed":
        out = xp.zeros((len(norms), n_columns))
        out[xp.arange(len(norms)), rows.values[part]] = rows.units[part]
        return out * inverse[:, None]
    factor = inverse * rows.units[part] if rows.kind == "int8" else inverse
    return rows.values[part, :n_columns] * factor[:, None]


def _put(product, rows, part):
    if rows.kind == "float":
        rows.values[part] = product
        return
    units = xp.abs(product).max(axis=1) / np.float32(LARGEST)
    rows.units[part] = units
    safe = xp.where(units > 0, units, 1.0)[:, None]
    rows.values[part] = xp.rint(product / safe).astype(np.int8)


def propagate(operator, source, target, out, source_weight, target_weight, fresh, n_threads):
    """Multiply rows by a matrix, and add their directions to `out`; see the twin in `_cpu`."""
    n, n_columns = len(operator.scale), out.shape[1]
    if fresh:
        out[...] = 0
    for first in range(0, n, _CHUNK):
        part = slice(first, min(n, first + _CHUNK))
        shape = part.stop - first, target.values.shape[1]
        product, squares = xp.zeros(shape, operator.scale.dtype), xp.empty(shape[0])
        GATHER[source.kind](shape[0], first, *operator, *source[:2], product, squares)
        target.norms[part] = xp.sqrt(squares)
        if len(target.values):
            _put(product, target, part)
        if source_weight:
            out[part] += source_weight * _directions(source, part, n_columns)
        if target_weight:
            made = Rows(product, target.units, target.norms[part])
            out[part] += target_weight * _directions(made, slice(None), n_columns)


def mix(terms, fresh, out, n_threads):
    """Add the directions of rows to `out`, each with its weight."""
    if fresh:
        out[...] = 0
    for first in range(0, len(out), _CHUNK):
        part = slice(first, first + _CHUNK)
        for rows, weight in terms:
            out[part] += weight * _directions(rows, part, out.shape[1])


# --- random projections


@cuda_kernel("uint64, uint64[::1], int64, T[::1], int32[::1], T[::1]")
def _hash(key, ids, n_columns, scale, columns, units):
    for i in range(cuda.grid(1), ids.size, cuda.gridsize(1)):
        w0, w1, _, _ = _philox(
            ids[i] & _MASK, ids[i] >> _SHIFT, np.uint64(0), np.uint64(0), key & _MASK, key >> _SHIFT
        )
        columns[i] = (w0 * np.uint64(n_columns)) >> _SHIFT
        units[i] = scale[i] if w1 & np.uint64(1) else -scale[i]


def hashed(key, ids, n_columns, scale, dtype, n_threads):
    """Rows with one random entry each: plus or minus the scale, in a random column."""
    columns, units = xp.empty(len(ids), np.int32), xp.empty(len(ids), dtype)
    _hash(-(-len(ids) // THREADS), np.uint64(key), ids, n_columns, scale, columns, units)
    return Rows(columns, units, xp.abs(units).astype(np.float64))


@cuda_kernel("uint64, uint64[::1], int64, uint64, float64, int64, T[::1], T[:, ::1]")
def _fill(key, ids, law, threshold, size, n_columns, scale, out):
    # A thread to four entries of a row.
    groups = (n_columns + 3) >> 2
    entries = cuda.local.array(4, np.float64)
    for at in range(cuda.grid(1), ids.size * groups, cuda.gridsize(1)):
        i, group = at // groups, at % groups
        w0, w1, w2, w3 = _philox(
            ids[i] & _MASK, ids[i] >> _SHIFT, np.uint64(group), np.uint64(0), key & _MASK,
            key >> _SHIFT,
        )  # fmt: skip
        if law == SPARSE:
            entries[0] = _sparse_entry(w0, threshold, size)
            entries[1] = _sparse_entry(w1, threshold, size)
            entries[2] = _sparse_entry(w2, threshold, size)
            entries[3] = _sparse_entry(w3, threshold, size)
        else:
            entries[0], entries[1] = _gaussian_pair(w0, w1, size)
            entries[2], entries[3] = _gaussian_pair(w2, w3, size)
        for c in range(4 * group, min(n_columns, 4 * group + 4)):
            out[i, c] = entries[c - 4 * group] * np.float64(scale[i])


def fill(key, ids, law, sparsity, n_columns, scale, out, n_threads):
    """Fill the first columns of `out` with random entries; see the twin in `_cpu`."""
    if law == HASHED:
        rows = hashed(key, ids, n_columns, scale, out.dtype, n_threads)
        out[:, :n_columns] = 0
        out[xp.arange(len(ids)), rows.values] = rows.units
        return
    args = np.uint64(key), ids, law, *sparse_law(law, sparsity, n_columns), n_columns, scale, out
    _fill(-(-len(ids) * n_columns // (4 * THREADS)), *args)


# --- Gram matrices


def moments(X, n_threads):
    """Mean of the rows, and Gram matrix of their differences from it, which LAPACK gets."""
    mean, gram = X.mean(axis=0, dtype=np.float64).astype(X.dtype), xp.zeros((X.shape[1],) * 2)
    for first in range(0, len(X), _CHUNK):
        centred = X[first : first + _CHUNK] - mean
        gram += centred.T @ centred
    return mean, to_host(gram)


def mapped(X, mean, matrix, n_threads):
    """Return ``(X - mean) @ matrix``, in the precision of X."""
    return (X - xp.asarray(mean)) @ xp.asarray(matrix.astype(X.dtype))


def mapped_by_triangle(X, mean, lower, n_threads):
    """Replace X by ``(X - mean) @ lower.T``, in the precision of X."""
    X[...] = mapped(X, mean, lower.T, n_threads)
    return X
