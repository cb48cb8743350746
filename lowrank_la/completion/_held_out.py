"""What entries that a fit has not seen tell: when to stop, and which rank to take."""

import numpy as np

_PATIENCE = 5  # sweeps without a better error
_GAIN = 0.002  # share by which a larger rank must be better
_EXACT = 1e-6  # errors below, in units of the values' spread, are no errors


def rms_error(model, held_out):
    """Root mean square error of held-out entries: (rows, columns, values, weights), scaled."""
    rows, columns, values, weights = held_out
    return float(np.average((model.predict(rows, columns) - values) ** 2, weights=weights)) ** 0.5


class Watch:
    """Looks on at a fit: tells the user, and ends it when held-out entries are met worse.

    Parameters
    ----------
    callback : callable or None
        The user's.
    held_out : tuple, optional
        Rows, columns, scaled values and weights of entries that are not fitted.

    Attributes
    ----------
    best : Model or None
        The model that met held-out entries best.
    errors : list of float
        Of these, after each iteration.
    """

    def __init__(self, callback, held_out=None):
        self.callback, self.held_out = callback, held_out
        self.n_iter, self.best, self.errors = 0, None, []

    def __call__(self, model, loss):
        """Note an iteration; return True to end."""
        self.n_iter += 1
        info = {"n_iter": self.n_iter, "loss": loss}
        if self.held_out is not None:
            info["validation"] = self._note(model)
        stop = self.callback is not None and self.callback(info)
        return bool(stop) or self._in_vain()

    def _note(self, model):
        model = model.on("cpu")
        self.errors.append(rms_error(model, self.held_out))
        if self.errors[-1] == min(self.errors):
            self.best = model.copy()
        return self.errors[-1]

    def _in_vain(self):
        return len(self.errors) - int(np.argmin(self.errors or [0.0])) > _PATIENCE


def chosen_rank(error_of, most):
    """Least rank whose held-out error is about the best.

    Ranks grow by a half at a time until two in a row are no better; then those between the best
    one's neighbours are halved.

    Parameters
    ----------
    error_of : callable
        Held-out error of a rank.
    most : int
        Largest rank to try.
    """
    errors = {}

    def best():
        least = max(min(errors.values()) * (1 + _GAIN), _EXACT)
        return min(rank for rank, error in errors.items() if error <= least)

    rank = 1
    while rank <= most:
        errors[rank] = error_of(rank)
        if len([tried for tried in errors if tried > best()]) == 2:
            break
        rank = max(rank + 1, rank * 3 // 2)
    while True:
        around = sorted([0, *errors])
        at = around.index(best())
        gaps = [(a + b) // 2 for a, b in zip(around[at - 1 : at + 1], around[at : at + 2],
                                             strict=False) if b - a > 1]  # fmt: skip
        if not gaps:
            return best()
        for middle in gaps:
            errors[middle] = error_of(middle)
