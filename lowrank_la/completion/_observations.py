"""Labelled observations, more of them, and where to begin when they are fitted again."""

from dataclasses import dataclass, replace

import numpy as np

from ._labels import encoded

_NEW = 0.1  # of the size that entries of factors have: random ones of lines that are new


@dataclass(frozen=True, eq=False)
class Observations:
    """Values, and a label in each of several columns: the row, the column, and context.

    Attributes
    ----------
    labels : tuple of Labels
    codes : tuple of ndarray of shape (nnz,), int32
        Of the labels of each column.
    values : ndarray of shape (nnz,)
    weights : ndarray of shape (nnz,) or None
        Above zero; None if all are one.
    """

    labels: tuple
    codes: tuple
    values: np.ndarray
    weights: np.ndarray | None

    @property
    def shape(self):
        """Rows and columns of the matrix, and one of each that has no entries.

        These stand for labels that are not known.
        """
        return len(self.labels[0]) + 1, len(self.labels[1]) + 1

    def more(self, other):
        """Return these observations and others."""
        labels = [
            named(f"column {column} of X", mine.joined, theirs)
            for column, (mine, theirs) in enumerate(zip(self.labels, other.labels, strict=True))
        ]
        codes = [
            np.concatenate([part.recoded(column, all_labels) for part in (self, other)])
            for column, all_labels in enumerate(labels)
        ]
        return Observations(
            tuple(labels),
            tuple(codes),
            np.concatenate([self.values, other.values]),
            _concatenated(self, other),
        )

    def recoded(self, column, labels):
        """Codes of a column among other labels."""
        return labels.codes_of(self.labels[column].values)[self.codes[column]]

    def columns_of(self, rows):
        """Columns that have been observed in some rows: one array for each of these."""
        wanted = np.zeros(self.shape[0], bool)
        wanted[rows] = True
        at = np.flatnonzero(wanted[self.codes[0]])
        at = at[np.argsort(self.codes[0][at], kind="stable")]
        bounds = np.searchsorted(self.codes[0][at], [rows, np.add(rows, 1)])
        return [self.codes[1][at[begin:end]] for begin, end in bounds.T]


def observed(columns, values, weights=None):
    """Observations from columns of labels, without those whose weight is zero.

    Parameters
    ----------
    columns : sequence of ndarray of shape (nnz,) or pandas.Categorical
    values : ndarray of shape (nnz,)
    weights : ndarray of shape (nnz,), default=None

    Raises
    ------
    ValueError
        If a label is missing.
    """
    if weights is not None and not weights.all():
        counted = weights > 0
        columns = [column[counted] for column in columns]
        values, weights = values[counted], weights[counted]
    if weights is not None and (weights == 1).all():
        weights = None
    pairs = [
        named(f"column {number} of X", encoded, column) for number, column in enumerate(columns)
    ]
    return Observations(*map(tuple, zip(*pairs, strict=True)), values, weights)


def codes_among(labels, columns):
    """Codes of columns among labels that are known; -1 stands for those that are not."""
    return [
        named(f"column {number} of X", known.codes_of, column)
        for number, (known, column) in enumerate(zip(labels, columns, strict=True))
    ]


def carried(result, before, now, rank, rng):
    """Return the result of a fit of other observations as the start of a fit of these.

    Lines whose labels are new, and columns of the factors beyond those of the result, begin with
    small random numbers: from zeros neither factor would ever move.
    """
    parts = []
    for side, (factor, bias) in enumerate(
        [(result.left, result.row_bias), (result.right, result.column_bias)]
    ):
        places = now.labels[side].codes_of(before.labels[side].values)
        known = np.flatnonzero(places >= 0)
        size = _NEW * (result._scale / rank**0.5) ** 0.5
        start = size * rng.standard_normal((now.shape[side], rank), factor.dtype)
        start[places[known], : factor.shape[1]] = factor[known]
        start[-1] = 0
        biases = np.zeros(now.shape[side], bias.dtype)
        biases[places[known]] = bias[known]
        parts.append((start, biases))
    (left, row_bias), (right, column_bias) = parts
    return replace(
        result, left=left, right=right, row_bias=row_bias, column_bias=column_bias, _posterior=None
    )


def carried_effects(effects, before, now):
    """Effects of context on other observations: those of new categories are zero."""
    found = []
    for column, effect in enumerate(effects, 2):
        places = now.labels[column].codes_of(before.labels[column].values)
        start = np.zeros(len(now.labels[column]))
        start[places[places >= 0]] = effect[places >= 0]
        found.append(start)
    return found


def _concatenated(*parts):
    if all(part.weights is None for part in parts):
        return None
    return np.concatenate(
        [np.ones(len(part.values)) if part.weights is None else part.weights for part in parts]
    )


def named(name, function, labels):
    """Call a function whose errors do not know what the user calls these labels."""
    try:
        return function(labels)
    except ValueError as error:
        raise ValueError(f"{name} has {error}") from error
