"""Coresets of rows that come in blocks: from disk, or from a cluster."""

from dataclasses import dataclass, field, replace
from functools import partial, reduce
from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import check_array
from sklearn.utils.validation import _get_feature_names

from .._support.executor import map_merge
from .._support.random import as_generator
from .._support.validation import check_weights
from ._estimators import _FLOATS, RowSampler

_SPARE = 2  # times the precision for what will be drawn from again: four times the rows


@dataclass(frozen=True, eq=False)
class Coreset:
    """Weighted rows that stand for many more.

    Attributes
    ----------
    X : ndarray or sparse matrix of shape (m, n_features)
    y : ndarray of shape (m,) or (m, n_targets), or None
    sample_weight : ndarray of shape (m,)
        What to multiply a row's loss by.
    indices : ndarray of shape (m,)
        Numbers of the rows, counted through all blocks.
    n_rows : int
        Rows that these stand for.
    feature_names : ndarray of str, or None
        Names of the columns of X, if the blocks were data frames.
    """

    X: np.ndarray = field(repr=False)
    y: np.ndarray | None = field(repr=False)
    sample_weight: np.ndarray = field(repr=False)
    indices: np.ndarray = field(repr=False)
    n_rows: int
    feature_names: np.ndarray | None = field(default=None, repr=False)


def coreset(blocks, sampler=None, *, executor=None):
    """Draw rows from blocks, of which a few at a time are in memory.

    Merge and reduce: rows are drawn from each block; coresets of equally many blocks are joined
    and drawn from again, so that a row passes through ``log2(len(blocks))`` draws.

    Parameters
    ----------
    blocks : iterable
        Of X, ``(X, y)`` or ``(X, y, sample_weight)`` each, or of functions of no arguments
        that return one, and so read it where the work is done.
    sampler : RowSampler, default=None
        How to draw: with a number of rows, or "auto". By default ``RowSampler()``.
    executor : concurrent.futures.Executor, default=None
        Where to draw from blocks: threads, processes, or a cluster
        (``dask.distributed``'s ``client.get_executor()``). The result does not depend on it.

    Returns
    -------
    coreset : Coreset
        With X, y, sample_weight, indices, n_rows, feature_names.

    Raises
    ------
    ValueError
        If there are no blocks, or the weights of all of them are zero, or the features of data
        frames have not the same names in the same order in all, or the sampler is to draw a
        fraction of rows whose number is not known, or for what it refuses in a block.

    Notes
    -----
    What is drawn from again has four times as many rows as asked for, so that the last draw
    causes most of the error. The memory is that of the blocks in flight and of four such
    coresets for each doubling of the number of blocks.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sampling import RowSampler, coreset
    >>> rng = np.random.default_rng(0)
    >>> blocks = (rng.standard_normal((1000, 3)) for _ in range(10))
    >>> sample = coreset(blocks, RowSampler(n_samples=200, random_state=0))
    >>> sample.X.shape[1], sample.n_rows, bool(9_000 < sample.sample_weight.sum() < 11_000)
    (3, 10000, True)
    """
    sampler = RowSampler() if sampler is None else sampler
    if not isinstance(sampler, RowSampler):
        raise ValueError(f"sampler={sampler!r}: a RowSampler is needed")
    sampler._validate_params()
    if not isinstance(sampler.n_samples, Integral | str):
        raise ValueError(f"n_samples={sampler.n_samples}: give a number of rows, or 'auto'")
    if len(getattr(blocks, "shape", ())) == 2:
        raise ValueError("blocks is one array or data frame: a sequence of them is needed")
    key = int(as_generator(sampler.random_state).integers(2**63))
    work, merge = (partial(function, sampler, key) for function in (_of_block, _added))
    parts = map_merge(executor, work, enumerate(blocks), merge)
    whole = reduce(_joined, [part.coreset for part in parts])
    if not len(whole.indices):
        raise ValueError("sample_weight of all blocks is zero: some rows have to count")
    return _reduced(whole, sampler, _seed(key), 1)


def _seed(key, *place):
    """Seed of its own for each place: a level, and the number of a block; none for the whole."""
    return np.random.SeedSequence(key, spawn_key=place)


@dataclass(frozen=True)
class _Part:
    """Coreset of two to the power of `level` blocks, in a row, of which one has the number."""

    coreset: Coreset
    level: int
    number: int


def _of_block(sampler, key, numbered):
    """Draw rows from a block."""
    number, block = numbered
    block = block() if callable(block) else block
    parts = block if isinstance(block, tuple) else (block,)
    if not 1 <= len(parts) <= 3:
        raise ValueError(
            f"blocks: number {number} has {len(parts)} parts; X, y and sample_weight are allowed"
        )
    try:
        whole = _reduced(_whole(*parts), sampler, _seed(key, 0, number))
    except ValueError as error:
        raise ValueError(f"blocks: number {number}: {error}") from error
    return [_Part(whole, 0, number)]


def _whole(X, y=None, sample_weight=None):
    """Coreset of all rows of a block."""
    names = _get_feature_names(X)
    X = check_array(X, accept_sparse="csr", dtype=_FLOATS, input_name="X")
    n = X.shape[0]
    nothing = np.array_equal(sample_weight, np.zeros(n))  # which a block may count for
    weights = np.zeros(n) if nothing else check_weights(sample_weight, n)
    y = None if y is None else np.asarray(y)
    return Coreset(X, y, weights, np.arange(n), n, names)


def _added(sampler, key, parts, new):
    """Add the part of a block to those before, like a bit to a binary number."""
    (part,) = new
    while parts and parts[-1].level == part.level:
        *parts, last = parts
        level = part.level + 1
        joined = _joined(last.coreset, part.coreset)
        part = _Part(_reduced(joined, sampler, _seed(key, level, part.number)), level, part.number)
    return [*parts, part]


def _joined(first, second):
    """Coreset of the rows of two."""
    if _form(first) != _form(second):
        raise ValueError(
            "blocks differ: all need X with the same features in the same order, all dense or all "
            "sparse, and y of the same shape or none; dummies need the categories of all blocks"
        )
    stack = sparse.vstack if sparse.issparse(first.X) else np.concatenate
    return Coreset(
        X=stack([first.X, second.X]),
        y=None if first.y is None else np.concatenate([first.y, second.y]),
        sample_weight=np.concatenate([first.sample_weight, second.sample_weight]),
        indices=np.concatenate([first.indices, first.n_rows + second.indices]),
        n_rows=first.n_rows + second.n_rows,
        feature_names=first.feature_names,
    )


def _form(part):
    """Return what blocks must have in common."""
    names = part.X.shape[1] if part.feature_names is None else tuple(part.feature_names)
    return names, sparse.issparse(part.X), None if part.y is None else part.y.shape[1:]


def _reduced(whole, sampler, seed, spare=_SPARE):
    """Draw rows from a coreset, if it has more than needed."""
    n = whole.X.shape[0]
    if not whole.sample_weight.any():
        return _chosen(whole, slice(0), np.empty(0))
    size = {"eps": sampler.eps / spare}
    if sampler.n_samples != "auto":
        size = {"n_samples": min(n, spare**2 * sampler.n_samples)}
    rng = np.random.default_rng(seed)
    drawn = clone(sampler).set_params(random_state=rng, **size)
    drawn.fit(whole.X, whole.y, whole.sample_weight)
    return _chosen(whole, drawn.sample_indices_, drawn.sample_weight_)


def _chosen(whole, rows, weights):
    """Rows of a coreset, with other weights."""
    return replace(
        whole,
        X=whole.X[rows],
        y=None if whole.y is None else whole.y[rows],
        sample_weight=weights,
        indices=whole.indices[rows],
    )
