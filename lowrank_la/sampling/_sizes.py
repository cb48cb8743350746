"""How many rows theory asks for."""

import numpy as np

_UNSURE = 0.1  # probability of failure


def has_bound(scores, p):
    """Whether a number of rows drawn in proportion to scores is known to be enough."""
    return {"uniform": False, "leverage": p == 2, "root_leverage": p <= 2}.get(scores, True)


def sample_size(scores, p, d, total, eps):
    """Rows to draw so that ``norm(A @ x, p)**p`` is kept to a factor of 1 + eps, for all x.

    The leading terms of the bounds, with the logarithm of a union over a basis.

    Parameters
    ----------
    scores : str
        What rows are drawn in proportion to.
    p : float
    d : int
        Rank of A.
    total : float
        Sum of the lp sensitivities, or of upper bounds of Lewis weights.
    eps : float
        Below 1.

    Returns
    -------
    size : float
        A whole number, or infinite.
    """
    d, total = np.maximum([d, total], 1.0)
    with np.errstate(over="ignore"):
        return np.ceil(_ROWS[scores](p, d, total) * np.log(d / _UNSURE) / eps / eps)


def _lewis(p, d, total):
    return d ** max(1, p / 2)  # Cohen and Peng 2015


def _upper_bounds(p, d, total):
    return total  # Cohen and Peng 2015: what Lewis weights may be replaced by


def _sensitivity(p, d, total):
    # Munteanu and Omlor 2024 for p < 2, Woodruff and Yasuda 2023 above
    return d ** (1 - p / 2) * total if p < 2 else total ** (2 - 2 / p)


def _augmented(p, d, total):
    # Munteanu and Omlor 2024 for p <= 2, Woodruff and Yasuda 2023 for p > 2
    return total + d if p <= 2 else d ** (2 / p) * total ** (2 - 4 / p)


_ROWS = {
    "lewis": _lewis,
    "leverage": _lewis,
    "root_leverage": _upper_bounds,
    "sensitivity": _sensitivity,
    "leverage+sensitivity": _augmented,
}
