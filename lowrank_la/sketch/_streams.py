"""Sketches of rows that come a block at a time: the one way in which sketches are made."""

import numpy as np
from scipy import sparse

from .._support.blocks import thread_count
from .._support.cuda import is_device_array, resolve_device, to_device, to_host, twin
from .._support.validation import as_floats, check_integer

_ENTRIES = 1 << 20  # of the data at a time, about: they stay in the last level of the cache
_ROWS = 1 << 18


def as_real(name, array):
    """Return a dense array or a sparse matrix of real numbers; no copy of a dense array is made."""
    if not (sparse.issparse(array) or is_device_array(array)):
        try:
            array = np.asarray(array)
        except ValueError as error:  # rows of unequal lengths
            raise ValueError(f"{name} is not an array: {error}") from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} has dtype {array.dtype}: real numbers are needed")
    return array


def as_matrix(name, array):
    """Return a dense array, or a CSR matrix, of two dimensions and of real numbers."""
    array = as_real(name, array)
    if array.ndim != 2:
        raise ValueError(f"{name} has {array.ndim} dimensions: 2 are needed")
    return array.tocsr() if sparse.issparse(array) else array


def as_dense(rows):
    """Return an array of what may be a sparse matrix."""
    return rows.toarray() if sparse.issparse(rows) else rows


def precision(array):
    """Precision of what is made from an array: float32 for float32, else float64."""
    return np.float32 if array.dtype.newbyteorder("=") == np.float32 else np.float64


def require_finite(name, values):
    """Refuse numbers that are not finite."""
    if not bool(np.isfinite(values).all()):
        raise ValueError(
            f"{name} has NaN or infinity, or numbers too large to be added up; "
            "only finite ones are allowed"
        )


class Stream:
    """The sketch of the rows that have come so far.

    Made by the method ``stream`` of a sketch.

    Parameters
    ----------
    sketch : Sketch
    first_row : int
        Number of the first row that will come.
    device : {None, "cpu", "cuda"}
        None computes where the first block lies.

    Attributes
    ----------
    n_rows : int
        Rows that have come.
    """

    def __init__(self, sketch, first_row=0, device=None):
        self._sketch, self._first = sketch, check_integer("first_row", first_row, 0)
        self._device, self._dtype, self._sums, self.n_rows = device, None, None, 0

    def update(self, block):
        """Take the next rows.

        Parameters
        ----------
        block : array_like or sparse matrix of shape (n, d)
            Any number of rows, also none. Kept unchanged.

        Returns
        -------
        self : Stream

        Raises
        ------
        ValueError
            If it is not a matrix of finite real numbers with as many columns as those before, or
            if there are more rows than the sketch has columns. A stream that was given NaN or
            infinity can be of no more use.
        """
        return self._accept("block", as_matrix("block", block))

    def _accept(self, name, block):
        if self._sums is None:
            self._begin(block)
        if block.shape[1] != self._n_columns:
            raise ValueError(
                f"{name} has {block.shape[1]} columns: {self._n_columns} are needed, as before"
            )
        most = self._sketch.shape[1] - self._next_row
        if block.shape[0] > most:
            raise ValueError(f"{name} has {block.shape[0]} rows: the sketch takes {most} more")
        few = block.shape[0] < self._sketch.shape[0]
        if few:  # to look at them takes less time than to look at the sums
            require_finite(name, block.data if sparse.issparse(block) else block)
        self._n_threads = thread_count()
        with np.errstate(all="ignore"):
            self._take(block)
        if not few:
            require_finite(name, self._sums)
        self._dtype = np.result_type(self._dtype, precision(block))
        return self

    def result(self):
        """Return the sketch of the rows so far; more may follow.

        Returns
        -------
        SA : ndarray of shape (m, d)
            float32 if all blocks were, else float64.

        Raises
        ------
        ValueError
            If no block has come, not even one without rows; or if sums overflow.
        """
        return self._total("block")

    def _total(self, name):
        if self._sums is None:
            raise ValueError(f"{name}: none has come, so that the number of columns is not known")
        sums, self._n_threads = self._sums, thread_count()
        with np.errstate(all="ignore"):
            if self._position:
                sums = sums.copy()
                self._add_buffer(sums)
            total = self._kernels.total(self._law, sums, self._n_columns).astype(self._dtype)
        require_finite(name, total)
        return total

    @property
    def _kernels(self):
        """Not an attribute, since modules cannot be pickled."""
        return twin(__package__, self._device, self._sketch._room)

    @property
    def _next_row(self):
        return self._first + self.n_rows

    @property
    def _position(self):
        """Rows of the current block that have come, or belong to someone before."""
        return self._next_row % self._kernels.ALIGNED

    def _begin(self, block):
        self._device = resolve_device(self._device, block)
        self._law = self._sketch._law(self._kernels)
        self._n_columns, self._dtype = block.shape[1], precision(block)
        self._sums = self._kernels.new_sums(self._sketch.shape[0], self._n_columns)
        if self._kernels.ALIGNED > 1:
            self._buffer = self._kernels.zeros((self._kernels.ALIGNED, self._n_columns))

    def _here(self, rows):
        """Rows on the device."""
        if self._device == "cpu":
            return to_host(rows)
        return to_device(as_floats("block", as_dense(rows)))

    def _add(self, block, lo, hi):
        """Add whole blocks of rows."""
        if self._device == "cuda":
            block, lo, hi = self._here(block[lo:hi]), 0, hi - lo
        elif is_device_array(block):
            block, lo, hi = to_host(block[lo:hi]), 0, hi - lo
        args = self._law, block, lo, hi, self._next_row, self._sums, self._n_threads
        self._kernels.add(*args)

    def _add_buffer(self, sums):
        first = self._next_row // self._kernels.ALIGNED * self._kernels.ALIGNED
        self._kernels.add(
            self._law, self._buffer, 0, self._kernels.ALIGNED, first, sums, self._n_threads
        )

    def _take(self, block):
        """Add whole blocks, and put the rest into the buffer."""
        n, aligned, lo = block.shape[0], self._kernels.ALIGNED, 0
        most = max(1, self._most_rows(block) // aligned) * aligned
        while lo < n:
            whole = (n - lo) // aligned * aligned
            if self._position or not whole:
                lo += self._put(block, lo)
                continue
            hi = lo + min(most, whole)
            self._add(block, lo, hi)
            self.n_rows += hi - lo
            lo = hi

    def _put(self, block, lo):
        """Fill the buffer with rows from `lo` on, add it if it is full, and return how many."""
        position, aligned = self._position, self._kernels.ALIGNED
        n = min(block.shape[0] - lo, aligned - position)
        self._buffer[position : position + n] = self._here(as_dense(block[lo : lo + n]))
        if position + n == aligned:
            self._add_buffer(self._sums)
            self._buffer[...] = 0
        self.n_rows += n
        return n

    def _most_rows(self, block):
        """Rows that may be copied, if they must be, and that stay in the cache."""
        width = self._n_columns
        if sparse.issparse(block) and self._kernels.TAKES_SPARSE:
            width = block.nnz // max(1, block.shape[0])
        return min(_ROWS, _ENTRIES // max(1, width))
