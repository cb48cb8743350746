"""The random rows that are propagated: hashed, sparse, Gaussian or given, and node features."""

import hashlib
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ._cpu import GAUSSIAN, HASHED, SPARSE, Rows, fill

LAWS = {"hashed": HASHED, "sparse": SPARSE, "very_sparse": SPARSE, "gaussian": GAUSSIAN}
PROJECTIONS = tuple(LAWS)
_ACHLIOPTAS = 3.0  # one entry of so many is not zero, in a sparse projection


def as_identities(node_ids, n):
    """One 64-bit number to a node: its position, or a hash of its id.

    Raises
    ------
    ValueError
        If the ids are not distinct, not n, or neither integers nor strings.
    """
    if node_ids is None:
        return np.arange(n, dtype=np.uint64)
    try:
        ids = list(node_ids)
        values = np.asarray(ids)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"node_ids: a sequence of integers or strings is needed: {error}"
        ) from error
    if values.shape != (n,):
        raise ValueError(f"node_ids has shape {values.shape}, but the graph has {n} nodes")
    if all(isinstance(value, str) for value in ids):
        numbers = np.array([_digest(value) for value in ids], dtype=np.uint64)
    elif values.dtype.kind in "iu":
        numbers = values.astype(np.int64).view(np.uint64)
    else:
        raise ValueError("node_ids: integers of 64 bits, or strings, are needed")
    if len(np.unique(numbers)) < n:
        raise ValueError("node_ids are not distinct")
    return numbers


def _digest(text):
    """Hash of a string, and of what is no valid Unicode too."""
    encoded = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest(), "little")


def as_features(features, n, dtype):
    """Node features as a matrix, sparse or dense, of numbers that a dtype can take."""
    try:
        array = features if sparse.issparse(features) else np.asarray(features)
    except ValueError as error:  # rows of unequal lengths
        raise ValueError(f"features is not an array: {error}") from error
    wrong = array.ndim != 2 or array.shape[0] != n or not array.shape[-1]
    if wrong or array.dtype.kind not in "fiub":
        raise ValueError(
            f"features has shape {array.shape} and dtype {array.dtype}: real numbers of "
            f"shape ({n}, n_features) are needed"
        )
    array = array.tocsr() if sparse.issparse(array) else array
    _check_sizes("features", array.data if sparse.issparse(array) else array, dtype)
    return array


def as_projection(projection, n, n_columns, dtype):
    """Return a name of a law, or a given matrix of numbers that a dtype can take."""
    if isinstance(projection, str):
        if projection not in LAWS:
            raise ValueError(
                f"projection={projection!r} is unknown; use one of {', '.join(PROJECTIONS)}, or an "
                "array"
            )
        return projection
    try:
        array = np.asarray(projection)
        wrong = array.dtype.kind not in "fiub" or array.shape != (n, n_columns)
    except ValueError:
        wrong = True
    if wrong:
        raise ValueError(f"projection: a name, or an array of shape ({n}, {n_columns}), is needed")
    _check_sizes("projection", array, dtype)
    return array


def _check_sizes(name, values, dtype):
    """Refuse what is not finite, and rows whose squared lengths a dtype cannot hold."""
    sizes = [abs(float(bound(initial=0))) for bound in (values.min, values.max)]
    if not np.isfinite(sum(sizes)):
        raise ValueError(f"{name} contains NaN or inf")
    most = np.sqrt(float(np.finfo(dtype).max))
    largest = max(sizes)
    if largest and not 1 / most < largest < most:
        raise ValueError(
            f"{name} has numbers of size {largest:g}, and results in {np.dtype(dtype).name} need "
            f"sizes of {1 / most:.0e} to {most:.0e}: divide all by a common factor"
        )


@dataclass(frozen=True)
class Projection:
    """The matrix R of the paper; its last columns are the node features, projected.

    Attributes
    ----------
    law : str or ndarray of shape (n, n_columns - n_feature_columns)
    n_columns : int
    key : int
        Seeds the random entries.
    ids : ndarray of shape (n,), uint64
        What the entries of a row depend on, besides the key.
    features : array or sparse matrix of shape (n, n_features), or None
    n_feature_columns : int
    """

    law: str | np.ndarray
    n_columns: int
    key: int
    ids: np.ndarray
    features: object = None
    n_feature_columns: int = 0

    def rows(self, kernels, scale, dtype, n_threads):
        """Rows of the projection, times their scale, on the kernels' device."""
        ids, scale = kernels.to_device(self.ids), kernels.to_device(scale.astype(dtype))
        if isinstance(self.law, str) and self.law == "hashed" and not self.n_feature_columns:
            return kernels.hashed(self.key, ids, self.n_columns, scale, dtype, n_threads)
        rows = kernels.empty_rows(len(self.ids), self.n_columns, dtype)
        n_random = self.n_columns - self.n_feature_columns
        rows.values[:, n_random:] = 0
        if isinstance(self.law, str) and n_random:
            law = LAWS[self.law], self._sparsity
            kernels.fill(self.key, ids, *law, n_random, scale, rows.values, n_threads)
        elif n_random:
            rows.values[:, :n_random] = kernels.to_device(self.law.astype(dtype)) * scale[:, None]
        if self.n_feature_columns:
            part = kernels.to_device(self._projected_features(dtype)) * scale[:, None]
            rows.values[:, n_random : self.n_columns] = part
        norms = kernels.lengths(rows.values)
        return Rows(rows.values, rows.units, norms)

    @property
    def _sparsity(self):
        return max(1.0, np.sqrt(len(self.ids))) if self.law == "very_sparse" else _ACHLIOPTAS

    def _projected_features(self, dtype):
        n_features = self.features.shape[1]
        directions, ones = np.empty((n_features, self.n_feature_columns)), np.ones(n_features)
        ids = np.arange(n_features, dtype=np.uint64)
        key = self.key ^ 0xFEA7  # other numbers than those of the nodes
        fill(key, ids, GAUSSIAN, 1.0, self.n_feature_columns, ones, directions, 1)
        return np.asarray(self.features @ directions).astype(dtype)
