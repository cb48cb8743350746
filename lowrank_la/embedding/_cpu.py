"""Loops of FastRP on the CPU: products with a sparse matrix, and random projections."""

import functools
import math
from typing import NamedTuple

import numpy as np

from .._kernels.csr import NARROW, sum_rows
from .._kernels.gram import mapped, mapped_by_triangle, moments
from .._kernels.rng import _MASK, _SHIFT, gaussian_pair_cpu, philox_cpu
from .._support.blocks import aligned, frozen, run_blocks
from .._support.jit import kernel, specialise

_BLOCK = 1024  # rows
LARGEST = 127  # of int8
_VANISHED = 1e-32  # rows of such lengths count as zero: float32 holds a weight divided by more
HASHED, SPARSE, GAUSSIAN = range(3)  # laws of the random entries

__all__ = ["mapped", "mapped_by_triangle", "moments"]
to_device, to_host = frozen, np.asarray
empty = aligned


class Operator(NamedTuple):
    """The matrix of a product: ``scale[i] * sum_j A[i, j] * (...)[j]``, of A in CSR form."""

    indptr: np.ndarray  # (n + 1,)
    indices: np.ndarray  # (m,)
    weights: np.ndarray  # (m,), or empty for ones
    scale: np.ndarray  # (n,)


class Rows(NamedTuple):
    """Rows that are gathered, or made, and their lengths.

    Of floats; of int8, in units of their own; or with one entry each, whose
    columns are the `values` (one-dimensional then) and which are the `units`.
    """

    values: np.ndarray  # (n, padded), or (n,)
    units: np.ndarray  # (n,), or empty
    norms: np.ndarray  # (n,), float64

    @property
    def kind(self):
        """Which kernels take them."""
        if self.values.ndim == 1:
            return "hashed"
        return "int8" if self.values.dtype == np.int8 else "float"


def padded(n_columns):
    """Columns that rows are stored with."""
    return -(-n_columns // NARROW) * NARROW


def empty_rows(n, n_columns, dtype, written=True):
    """Memory for rows, or for their lengths alone if the rows are not to be written."""
    stored = n if written else 0
    units = np.empty(stored if dtype == np.int8 else 0, np.float32)
    return Rows(aligned((stored, padded(n_columns)), dtype), units, np.empty(n))


def as_rows(values, n_threads):
    """Rows of an array, padded by zeros if they must be."""
    n, n_columns = values.shape
    if n_columns == padded(n_columns):
        return Rows(values, np.empty(0, np.float32), lengths(values, n_threads))
    rows = empty_rows(n, n_columns, values.dtype)
    rows.values[:, :n_columns], rows.values[:, n_columns:] = values, 0
    return rows._replace(norms=lengths(values, n_threads))


@kernel
def _lengths(lo, hi, b, values, norms):
    # (n, d) in; (n,) out
    for i in range(np.uint64(lo), np.uint64(hi)):
        square = 0.0
        for c in range(np.uint64(values.shape[1])):
            square += np.float64(values[i, c]) * np.float64(values[i, c])
        norms[i] = math.sqrt(square)


def lengths(values, n_threads=None):
    """Lengths of rows, in float64."""
    norms = np.empty(len(values))
    run_blocks(_lengths, len(values), _BLOCK, (frozen(values), norms), n_threads)
    return norms


# --- products


def _gather_rows(values, units, indices, weights, start, stop, row, totals):
    sum_rows(values, units, indices, weights, start, stop, row, totals)


def _gather_hashed(values, units, indices, weights, start, stop, row, totals):
    d = np.uint64(len(row))
    for c in range(d):
        totals[c] = 0.0
    for e in range(start, stop):
        j = np.uint64(indices[e])
        weight = np.float64(weights[e]) if len(weights) else 1.0
        totals[np.uint64(values[j])] += weight * np.float64(units[j])
    for c in range(d):
        row[c] = totals[c]


def _add_floats(values, units, i, factor, out):
    for c in range(np.uint64(len(out))):
        out[c] += factor * values[i, c]


def _add_int8(values, units, i, factor, out):
    factor *= units[i]
    for c in range(np.uint64(len(out))):
        out[c] += factor * values[i, c]


def _add_hashed(values, units, i, factor, out):
    out[np.uint64(values[i])] += factor * units[i]


def _put_floats(row, values, units, i):
    for c in range(np.uint64(len(row))):
        values[i, c] = row[c]


def _put_int8(row, values, units, i):
    largest = np.float32(0)
    for c in range(np.uint64(len(row))):
        largest = max(largest, abs(row[c]))
    units[i] = largest / np.float32(LARGEST)
    to_units = np.float32(LARGEST) / largest if largest > 0 else np.float32(0)
    for c in range(np.uint64(len(row))):
        values[i, c] = np.int8(np.rint(row[c] * to_units))


_GATHER = {"float": _gather_rows, "int8": _gather_rows, "hashed": _gather_hashed}
_ADD = {"float": _add_floats, "int8": _add_int8, "hashed": _add_hashed}
_PUT = {"float": _put_floats, "int8": _put_int8}
gather = put = add_direction = None  # bound where a template is specialised


def _propagate(
    lo, hi, b, indptr, indices, weights, scale, values, units, norms,
    source_weight, target_weight, keep, fresh,
    new_values, new_units, new_norms, out, scratch, totals,
):  # fmt: skip
    # A (n x m) in CSR form; (m, padded) (m,) (m,) in; (n, padded) (n,) (n,) (n, d) out
    row = scratch[b]
    for i in range(np.uint64(lo), np.uint64(hi)):
        start, stop = np.uint64(indptr[i]), np.uint64(indptr[i + np.uint64(1)])
        gather(values, units, indices, weights, start, stop, row, totals[b])
        factor, square = scale[i], 0.0
        for c in range(np.uint64(len(row))):
            row[c] *= factor
            square += np.float64(row[c]) * np.float64(row[c])
        norm = math.sqrt(square)
        new_norms[i] = norm
        if keep:
            put(row, new_values, new_units, i)
        sums = out[i]
        if fresh:
            for c in range(np.uint64(len(sums))):
                sums[c] = 0
        if source_weight != 0 and norms[i] > _VANISHED:
            add_direction(values, units, i, sums.dtype.type(source_weight / norms[i]), sums)
        if target_weight != 0 and norm > _VANISHED:
            share = sums.dtype.type(target_weight / norm)
            for c in range(np.uint64(len(sums))):
                sums[c] += share * row[c]


@functools.cache
def _propagator(source, target):
    parts = {"gather": _GATHER[source], "add_direction": _ADD[source], "put": _PUT[target]}
    return specialise(_propagate, f"{source}_{target}", **parts)


def propagate(operator, source, target, out, source_weight, target_weight, fresh, n_threads):
    """Multiply rows by a matrix, and add to `out` what their directions weigh.

    Parameters
    ----------
    operator : Operator
    source : Rows
    target : Rows
        Filled in; values of no rows are left alone, all but the norms.
    out : array of shape (n, d)
        Gets the rows of `source` and of the product, divided by their lengths, times
        their weights; columns beyond d are left out. May have no columns.
    source_weight, target_weight : float
    fresh : bool
        Whether to clear `out` before.
    n_threads : int
    """
    n = len(operator.scale)
    n_blocks, width = -(-n // _BLOCK), target.values.shape[1]
    dtype = np.float64 if target.values.dtype == np.float64 else np.float32
    run_blocks(
        _propagator(source.kind, target.kind), n, _BLOCK,
        (
            *map(frozen, (*operator, *source)), source_weight, target_weight,
            len(target.values) > 0, fresh, *target, out,
            aligned((n_blocks, width), dtype), aligned((n_blocks, width), np.float64),
        ),
        n_threads,
    )  # fmt: skip


def _mix(lo, hi, b, values, units, norms, weight, fresh, out):
    # (n, padded) (n,) (n,) in; (n, d) out
    for i in range(np.uint64(lo), np.uint64(hi)):
        sums = out[i]
        if fresh:
            for c in range(np.uint64(len(sums))):
                sums[c] = 0
        if norms[i] > _VANISHED:
            add_direction(values, units, i, sums.dtype.type(weight / norms[i]), sums)


@functools.cache
def _mixer(kind):
    return specialise(_mix, kind, add_direction=_ADD[kind])


def mix(terms, fresh, out, n_threads):
    """Add the directions of rows to `out`, each with its weight.

    Parameters
    ----------
    terms : list of (Rows, float)
    fresh : bool
        Whether to clear `out` before.
    out : array of shape (n, d)
    n_threads : int
    """
    calls = [
        (_mixer(rows.kind), (*map(frozen, rows), weight, fresh and first))
        for first, (rows, weight) in zip([True] + [False] * len(terms), terms, strict=False)
    ]

    def all_terms(lo, hi, b):  # of a block, whose sums stay in the cache
        for add, args in calls:
            add(lo, hi, b, *args, out)

    run_blocks(all_terms, len(out), _BLOCK, (), n_threads)


# --- random projections


@kernel
def _words(key, identity, column):
    """Four random words for a node and a group of columns."""
    return philox_cpu(
        identity & _MASK, identity >> _SHIFT, column, np.uint64(0), key & _MASK, key >> _SHIFT
    )


@kernel
def _hash(lo, hi, b, key, ids, n_columns, scale, columns, units):
    # (n,) (n,) in; (n,) (n,) out
    for i in range(np.uint64(lo), np.uint64(hi)):
        w0, w1, _, _ = _words(key, ids[i], np.uint64(0))
        columns[i] = (w0 * np.uint64(n_columns)) >> _SHIFT
        units[i] = scale[i] if w1 & np.uint64(1) else -scale[i]


def hashed(key, ids, n_columns, scale, dtype, n_threads):
    """Rows with one random entry each: plus or minus the scale, in a random column."""
    columns, units = np.empty(len(ids), np.int32), np.empty(len(ids), dtype)
    args = np.uint64(key), frozen(ids), n_columns, frozen(scale), columns, units
    run_blocks(_hash, len(ids), 16 * _BLOCK, args, n_threads)
    return Rows(columns, units, np.abs(units, dtype=np.float64))


def sparse_entry(word, threshold, size):
    """Entry of a sparse law: plus or minus `size` if the word is below the threshold, else zero."""
    half = threshold >> np.uint64(1)
    if word >= threshold:
        return 0.0
    return size if word < half else -size


_sparse_entry = kernel(sparse_entry)


@kernel
def _fill(lo, hi, b, key, ids, law, threshold, size, n_columns, scale, out):
    # (n,) (n,) in; (n, at least n_columns) out
    for i in range(np.uint64(lo), np.uint64(hi)):
        if law == HASHED:
            w0, w1, _, _ = _words(key, ids[i], np.uint64(0))
            for c in range(n_columns):
                out[i, c] = 0
            sign = 1.0 if w1 & np.uint64(1) else -1.0
            out[i, (w0 * np.uint64(n_columns)) >> _SHIFT] = sign * scale[i]
            continue
        for c in range(0, n_columns, 4):
            w0, w1, w2, w3 = _words(key, ids[i], np.uint64(c >> 2))
            if law == SPARSE:
                e0, e1 = _sparse_entry(w0, threshold, size), _sparse_entry(w1, threshold, size)
                e2, e3 = _sparse_entry(w2, threshold, size), _sparse_entry(w3, threshold, size)
            else:
                e0, e1 = gaussian_pair_cpu(w0, w1, size)
                e2, e3 = gaussian_pair_cpu(w2, w3, size)
            out[i, c] = e0 * scale[i]
            if c + 1 < n_columns:
                out[i, c + 1] = e1 * scale[i]
            if c + 2 < n_columns:
                out[i, c + 2] = e2 * scale[i]
            if c + 3 < n_columns:
                out[i, c + 3] = e3 * scale[i]


def sparse_law(law, sparsity, n_columns):
    """Words below the first number make entries; their size, for rows of mean square one."""
    size = math.sqrt((sparsity if law == SPARSE else 1.0) / n_columns)
    return np.uint64(round(2.0**32 / sparsity)), size


def fill(key, ids, law, sparsity, n_columns, scale, out, n_threads):
    """Fill the first columns of `out` with random entries: rows of mean square length scale².

    Parameters
    ----------
    key : int
    ids : array of shape (n,), uint64
        What the entries of a row depend on, besides the key.
    law : {HASHED, SPARSE, GAUSSIAN}
    sparsity : float
        One of so many entries of the sparse law is not zero.
    n_columns : int
    scale : array of shape (n,)
    out : array of shape (n, d)
    n_threads : int
    """
    parameters = sparse_law(law, sparsity, n_columns)
    args = np.uint64(key), frozen(ids), law, *parameters, n_columns, frozen(scale), out
    run_blocks(_fill, len(ids), _BLOCK, args, n_threads)


# --- sums of entries


@kernel
def _row_sums(lo, hi, b, indptr, weights, sums, sizes):
    # (n + 1,) (m,) in; (n,) (n,) out
    for i in range(np.uint64(lo), np.uint64(hi)):
        total = size = 0.0
        for e in range(np.uint64(indptr[i]), np.uint64(indptr[i + np.uint64(1)])):
            total += np.float64(weights[e])
            size += abs(np.float64(weights[e]))
        sums[i], sizes[i] = total, size


def row_sums(indptr, weights, n_threads):
    """Sum of the weights of each row, and of their sizes; float64."""
    n = len(indptr) - 1
    sums, sizes = np.empty(n), np.empty(n)
    run_blocks(_row_sums, n, 16 * _BLOCK, (frozen(indptr), frozen(weights), sums, sizes), n_threads)
    return sums, sizes
