"""Random rows, in proportion to scores, and what each of them stands for."""

import numpy as np

from .._support.cuda import to_host
from .._support.random import as_generator
from .._support.validation import as_floats, check_integer


def sample_rows(scores, n_samples, *, replace=True, rng=None):
    """Draw rows in proportion to scores; those that must come anyway are kept.

    Parameters
    ----------
    scores : array_like of shape (n,)
        Not negative. Rows with a score of zero are never drawn.
    n_samples : int
        Rows to draw. A row whose expected count is at least 1 is taken once, for
        certain, and the others are drawn in its stead.
    replace : bool, default=True
        Whether the others are drawn independently of each other, so that a row may
        come more than once: it is returned once, with the weights added up, and
        fewer rows come back. Otherwise they are drawn without replacement.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None

    Returns
    -------
    indices : ndarray of shape (m,), int64
        In ascending order, each once.
    weights : ndarray of shape (m,), float64
        The inverses of the expected counts, times the count: sums over all rows are
        on average those over the rows drawn, times these weights.

    Raises
    ------
    ValueError
        If a score is negative or not finite, all are zero, or `n_samples` is not
        positive.

    Notes
    -----
    Without replacement, rows are drawn systematically from a random order, so that
    each has precisely the expected count as its probability. The time is that of a
    few passes over the scores.

    Examples
    --------
    >>> from lowrank_la.sampling import sample_rows
    >>> sample_rows([5.0, 1.0, 0.0, 1.0, 1.0], 3, replace=False, rng=1)
    (array([0, 1, 3]), array([1. , 1.5, 1.5]))
    """
    scores = np.asarray(to_host(as_floats("scores", scores)), dtype=np.float64)
    check_integer("n_samples", n_samples, 1)
    if scores.ndim != 1 or not scores.size:
        raise ValueError(f"scores has shape {scores.shape}: (n,) is needed")
    if not np.isfinite(scores).all() or scores.min() < 0 or not scores.any():
        raise ValueError("scores must be finite and not negative, and not all zero")
    return draw(scores / scores.max(), n_samples, as_generator(rng, "rng"), replace)


def draw(scores, n_samples, rng, replace=True):
    """Draw rows as `sample_rows` does, from checked scores."""
    kept = _kept(scores, n_samples)
    rest = scores.copy()
    rest[kept] = 0.0
    n_drawn, total = n_samples - len(kept), rest.sum()
    if not (n_drawn and total):
        return kept, np.ones(len(kept))
    drawn, counts = _independent(rest, n_drawn, rng) if replace else _systematic(rest, n_drawn, rng)
    indices = np.concatenate([kept, drawn])
    weights = np.concatenate([np.ones(len(kept)), counts * total / (n_drawn * rest[drawn])])
    order = np.argsort(indices)
    return indices[order], weights[order]


def _kept(scores, n_samples):
    """Rows whose expected count is at least 1, when such rows are taken once; ascending."""
    if n_samples >= np.count_nonzero(scores):  # whatever rounding says
        return np.flatnonzero(scores)
    order = np.argsort(-scores, kind="stable")
    candidates, others = order[:n_samples], scores[order[n_samples:]].sum()
    leading = scores[candidates]
    tails = others + np.cumsum(leading[::-1])[::-1]  # each with those below it
    certain = leading * (n_samples - np.arange(len(leading))) >= tails
    n_kept = len(certain) if certain.all() else int(np.argmin(certain))
    return np.sort(candidates[:n_kept])


def _independent(scores, n_drawn, rng):
    """Rows drawn with replacement, and how often each came."""
    ends = np.cumsum(scores)
    return np.unique(_holders(scores, ends, rng.random(n_drawn) * ends[-1]), return_counts=True)


def _systematic(scores, n_drawn, rng):
    """Rows drawn without replacement, each with its expected count as its probability."""
    order = rng.permutation(len(scores))
    ends = np.cumsum(scores[order])
    marks = (rng.random() + np.arange(n_drawn)) * (ends[-1] / n_drawn)
    # Rounding of sums could give a row two marks.
    drawn = np.unique(order[_holders(scores[order], ends, marks)])
    return drawn, 1.0


def _holders(scores, ends, marks):
    """Rows, laid end to end, in whose scores marks lie."""
    holders = np.searchsorted(ends, marks, side="right")
    return np.minimum(holders, np.flatnonzero(scores)[-1])
