"""Observed entries of a matrix, in the order of its rows and in that of its columns."""

from dataclasses import dataclass, replace

import numpy as np

from .._support.blocks import frozen
from .._support.cuda import to_device
from . import _cpu


@dataclass(frozen=True, eq=False)
class Lines:
    """Entries of every row, or of every column.

    Attributes
    ----------
    starts : ndarray of shape (n + 1,), int64
        Where the entries of each line begin.
    others : ndarray of shape (nnz,), int32 or int64
        Index in the other direction.
    values : ndarray of shape (nnz,), float32 or float64
    weights : ndarray of shape (nnz,) or (0,), same dtype
        Empty if all are one.
    """

    starts: np.ndarray
    others: np.ndarray
    values: np.ndarray
    weights: np.ndarray

    def __len__(self):
        return len(self.starts) - 1

    @property
    def block(self):
        """Lines to a block of work."""
        return _cpu.block_of(self.starts)

    @property
    def arrays(self):
        """What kernels take."""
        return self.starts, self.others, self.values, self.weights

    @property
    def amounts(self):
        """Sum of the weights of each line: the number of its entries, if they have none."""
        if not len(self.weights):
            return np.diff(self.starts).astype(np.float64)
        amounts, filled = np.zeros(len(self)), np.diff(self.starts) > 0
        begins = self.starts[:-1][filled]
        amounts[filled] = np.add.reduceat(self.weights, begins, dtype=np.float64)
        return amounts

    def frozen(self):
        """Return the same lines over arrays that cannot be written to."""
        return Lines(*map(frozen, self.arrays))

    def on(self, device):
        """Return the same lines where a device can read them."""
        return Lines(*map(to_device, self.arrays)) if device == "cuda" else self

    def run(self, lo, hi):
        """Return the lines from lo to hi."""
        part = slice(self.starts[lo], self.starts[hi])
        starts = self.starts[lo : hi + 1] - self.starts[lo]
        return Lines(starts, self.others[part], self.values[part], self.weights[part])

    def weighted(self, weights):
        """Return the same entries with other weights, in their order."""
        return Lines(self.starts, self.others, self.values, frozen(weights))

    def valued(self, values):
        """Return other values in the same places."""
        return Lines(self.starts, self.others, frozen(values), self.weights)


@dataclass(frozen=True, eq=False)
class Entries:
    """Both orders of the entries, centred and scaled.

    Attributes
    ----------
    rows, columns : Lines
        With values ``(x - mean) / scale``.
    mean, scale : float
        The scale is the root of the mean square of what is left of the values; 1 if nothing is.
    """

    rows: Lines
    columns: Lines
    mean: float
    scale: float

    @property
    def shape(self):
        """Rows and columns of the matrix."""
        return len(self.rows), len(self.columns)

    def __len__(self):
        return len(self.rows.others)

    def on(self, device):
        """Return the same entries where a device can read them."""
        return replace(self, rows=self.rows.on(device), columns=self.columns.on(device))


def arranged(rows, columns, values, weights, shape, mean, scale):
    """Both orders of entries, each by two passes that count; weights may be None.

    Nothing is sorted, and the arrays given are read once.
    """
    values = frozen(values)
    by_row = _room(frozen(rows), values, weights is not None, shape)
    _cpu.place(
        frozen(rows), frozen(columns), values, mean, scale, by_row.starts, by_row.others,
        by_row.values,
    )  # fmt: skip
    if weights is not None:
        _cpu.place_weights(frozen(rows), frozen(weights), by_row.starts, by_row.weights)
    by_column = _room(by_row.others, values, weights is not None, shape[::-1])
    _cpu.turn(*map(frozen, by_row.arrays), *by_column.arrays)
    return Entries(by_row.frozen(), by_column.frozen(), mean, scale)


def _room(places, values, weighted, shape):
    """Lines whose entries are counted, and still to be filled in."""
    starts = np.zeros(shape[0] + 1, np.int64)
    _cpu.count(places, starts)
    index = np.int32 if max(shape) <= np.iinfo(np.int32).max else np.int64
    return Lines(
        np.cumsum(starts, out=starts),
        np.empty(len(places), index),
        np.empty(len(places), values.dtype),
        np.empty(len(places) * weighted, values.dtype),
    )


def moments(values, weights, centred):
    """Mean (zero unless `centred`) and root mean square about it of weighted values.

    What is no more than rounding is not taken for a spread: the scale is that of the values then.
    """
    unit = float(np.max(np.abs(values), initial=0.0)) or 1.0
    shares = values / unit  # their squares are finite
    mean = _average(shares, weights) if centred else 0.0
    spread = _average((shares - mean) ** 2, weights) ** 0.5
    rounding = 8 * np.finfo(values.dtype).eps
    return unit * mean, unit * (spread if spread > rounding else 1.0)


def _average(values, weights):
    if weights is None:
        return float(np.mean(values, dtype=np.float64))
    total = np.einsum("i,i->", values, weights, dtype=np.float64)  # unlike a dot product, the
    return float(total / np.sum(weights, dtype=np.float64))  # same with any number of threads
