"""What rows are drawn in proportion to."""

import numpy as np

from ._leverage import root_leverage
from ._lewis import lewis_scores
from ._sensitivity import check_power, sensitivities
from ._sizes import sample_size


def importance(rows, scores, p, augment, rng):
    """Scores of checked rows, and the sum on which their number depends.

    Parameters
    ----------
    rows : ScoredRows
    scores : str
        A key of `SCORES`.
    p : float
    augment : {"leverage", "uniform", None}
        Half of the sum is that of these scores.
    rng : Generator

    Returns
    -------
    scores : ndarray of shape (n,)
    total : float
        Of the sensitivities, or of root leverage scores; 0.0 where there are none.
    """
    scores, total = SCORES[scores](rows, p, rng)
    if augment is not None:
        others = rows.leverage() if augment == "leverage" else rows.weights
        scores = scores + others * (scores.sum() / others.sum() if others.any() else 1.0)
    return (scores if scores.any() else rows.weights), total


def drawn(rows, scores, p, total, augment, n_samples, eps):
    """Rows to draw: a number, a fraction of all, or what theory asks for."""
    if n_samples == "auto":
        size = sample_size(scores, p, rows.factor.rank, total, eps)
        return int(min(size if augment is None else 2 * size, rows.n))
    if not isinstance(n_samples, (int, np.integer)):
        return max(1, round(n_samples * rows.n))
    return int(n_samples)


def _lewis(rows, p, rng):
    return lewis_scores(rows, p), 0.0


def _leverage(rows, p, rng):
    return rows.leverage(), 0.0


def _root_leverage(rows, p, rng):
    least = rows.weights[rows.weights > 0].min()
    scores = root_leverage(rows, p)
    return scores, scores.sum() / least ** (1 - p / 2)  # bounds need weights of at least 1


def _uniform(rows, p, rng):
    return rows.weights, 0.0


def _sensitivity(rows, p, rng):
    scores = rows.leverage() if check_power(p) == 2 else sensitivities(rows, p, rng)
    return scores, scores.sum()


def _both(rows, p, rng):
    scores, total = _sensitivity(rows, p, rng)
    return scores + rows.leverage(), total


SCORES = {
    "lewis": _lewis,
    "leverage": _leverage,
    "root_leverage": _root_leverage,
    "sensitivity": _sensitivity,
    "leverage+sensitivity": _both,
    "uniform": _uniform,
}
