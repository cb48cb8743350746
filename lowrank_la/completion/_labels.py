"""Labels of rows and columns, and the numbers 0, 1, ... that stand for them."""

from dataclasses import dataclass

import numpy as np

_SPARE = 65536  # places of a table beyond four for each label that is looked up
_WHOLE = 2.0**53  # floats below it that are whole are integers


@dataclass(frozen=True, eq=False)
class Labels:
    """Distinct labels; the code of one is its place.

    Attributes
    ----------
    values : ndarray of shape (n,)
        Ascending, unless there are labels of kinds that have no order.
    """

    values: np.ndarray

    def __len__(self):
        return len(self.values)

    def codes_of(self, column):
        """Code of each label of a column.

        Parameters
        ----------
        column : ndarray of shape (n_samples,), or pandas.Categorical

        Returns
        -------
        codes : ndarray of shape (n_samples,), int32
            -1 stands for a label that is not among these.

        Raises
        ------
        ValueError
            If a label is missing, or there are words where these are numbers, or the like.
        """
        if hasattr(column, "categories"):
            table = np.append(self.codes_of(column.categories.to_numpy()), np.int32(-1))
            return table[_present(column.codes)]
        column = _plain(column)
        mine, theirs = _kind(self.values), _kind(column)
        if mine not in (theirs, "objects") and len(column):
            raise ValueError(f"{theirs} where fit saw {mine}")
        if object in (self.values.dtype, column.dtype):
            table = {label: i for i, label in enumerate(self.values.tolist())}
            return _by(lambda label: table.get(label, -1), column)
        span = _span(self.values, len(self) + len(column))
        return _looked_up(self.values, column, *span) if span else _searched(self.values, column)

    def joined(self, other):
        """Return these labels and those of another, which must be of their kind."""
        new = other.values[self.codes_of(other.values) < 0]
        return encoded(np.concatenate([self.values, new]))[0] if len(new) else self


def encoded(column):
    """Distinct labels of a column, and the code of each entry.

    Integers (floats, too, if they are whole) whose range is not much longer than the column are
    found in a table, in O(n); Python's objects in a dictionary; others are sorted.

    Parameters
    ----------
    column : ndarray of shape (n_samples,), or pandas.Categorical

    Returns
    -------
    labels : Labels
    codes : ndarray of shape (n_samples,), int32

    Raises
    ------
    ValueError
        If a label is missing, or neither hashable nor equal to itself.
    """
    if hasattr(column, "categories"):
        codes = _present(column.codes)
        used, codes = np.unique(codes, return_inverse=True)
        labels, order = encoded(column.categories.to_numpy()[used])
        return labels, order[codes]
    column = _plain(column)
    if column.dtype == object:
        return _from_dictionary(column)
    span = _span(column, len(column))
    if span:
        return _from_table(column, *span)
    values, codes = np.unique(column, return_inverse=True)
    return Labels(values), codes.astype(np.int32)


def columns_of_frame(X):
    """Return the columns of a data frame of pandas or of polars; None if X is none."""
    if hasattr(X, "get_columns"):
        return [column.to_numpy() for column in X.get_columns()]
    if not (hasattr(X, "iloc") and hasattr(X, "columns")):
        return None
    series = [X.iloc[:, c] for c in range(X.shape[1])]
    return [s.array if hasattr(s.dtype, "categories") else s.to_numpy() for s in series]


def _plain(column):
    """Labels without any that is missing, in an array of numbers where they are numbers."""
    column = np.asarray(column)
    if column.dtype == object and len(column):
        kinds = set(map(type, column.tolist()))
        if all(issubclass(kind, int | float | np.number | np.bool_) for kind in kinds):
            column = np.array(column.tolist())  # objects again, if an integer is too long
    if column.dtype.kind == "f" and not np.isfinite(column).all():
        raise ValueError("NaN or infinity: labels must be finite")
    if column.dtype.kind in "mM" and np.isnat(column).any():
        raise ValueError("NaT: labels must be given")
    if column.dtype.kind not in "biufmMUSO":
        raise ValueError(f"dtype {column.dtype}: labels are numbers, text or dates")
    return column


def _kind(column):
    if column.dtype == object:
        return "text" if all(isinstance(label, str) for label in column) else "objects"
    kinds = {"U": "text", "S": "bytes", "M": "dates", "m": "times"}
    return kinds.get(column.dtype.kind, "numbers")


def _present(codes):
    """Return the codes of a pandas.Categorical, -1 for what is missing not among them."""
    if codes.min(initial=0) < 0:
        raise ValueError("NaN: labels must be given")
    return codes


def _span(values, n):
    """Least value and length of a range of integers, if a table of it pays for n look-ups."""
    if values.dtype.kind not in "biuf" or not len(values):
        return None
    low, high = values.min(), values.max()
    if values.dtype.kind == "f" and not _whole(values, low, high):
        return None
    low, high = int(low), int(high)
    return (low, high - low + 1) if high - low < 4 * n + _SPARE else None


def _whole(values, low, high):
    """Whether all numbers are integers that floats hold exactly."""
    exact = float(low) > -_WHOLE and float(high) < _WHOLE
    return exact and bool((values == np.floor(values)).all())


def _offsets(values, low):
    """Places of integers in a table."""
    values = values if values.dtype == np.uint64 else values.astype(np.int64, copy=False)
    return (values - values.dtype.type(low)).astype(np.int64, copy=False) if low else values


def _from_table(column, low, length):
    places = _offsets(column, low).astype(np.int64, copy=False)
    present = np.zeros(length, bool)
    present[places] = True
    codes = (np.cumsum(present, dtype=np.int32) - np.int32(1))[places]
    found = np.flatnonzero(present)
    if low:
        wide = np.uint64 if column.dtype == np.uint64 else np.int64
        found = found.astype(wide) + wide(low)
    return Labels(found.astype(column.dtype)), codes


def _looked_up(values, column, low, length):
    table = np.full(length, -1, np.int32)
    table[_offsets(values, low).astype(np.int64, copy=False)] = np.arange(len(values))
    known = (column >= values[0]) & (column <= values[-1])
    if column.dtype.kind == "f":
        known &= column == np.floor(column)
    places = _offsets(np.where(known, column, values[0]), low).astype(np.int64, copy=False)
    return np.where(known, table[places], np.int32(-1))


def _searched(values, column):
    places = np.minimum(np.searchsorted(values, column), len(values) - 1)
    return np.where(values[places] == column, places, -1).astype(np.int32)


def _from_dictionary(column):
    """Labels of any hashable kind, those of each type in their order."""
    table = {}
    codes = _by(lambda label: table.setdefault(label, len(table)), column)
    for label in table:
        _refuse_missing(label)
    try:
        ordered = sorted(table)
    except TypeError:
        ordered = sorted(table, key=lambda label: (type(label).__name__, label))
    place = np.empty(len(table), np.int32)
    place[[table[label] for label in ordered]] = np.arange(len(table), dtype=np.int32)
    values = np.empty(len(table), object)
    values[:] = ordered
    return Labels(values), place[codes]


def _by(dictionary, column):
    """Codes that a dictionary has for Python's objects."""
    try:
        return np.fromiter(map(dictionary, column.tolist()), np.int32, len(column))
    except TypeError as error:
        raise ValueError(f"{error}: labels are numbers, text or dates") from error


def _refuse_missing(label):
    """Refuse None, NaN, pandas.NA, and what has no order among its own kind."""
    try:
        sound = label == label and not label < label
    except TypeError:
        sound = False
    if not sound:
        raise ValueError(f"{label!r}: labels are numbers, text or dates")
