"""What an iteration leaves behind besides its solution: the gaps on its way."""

_ROUNDING = 1e-15  # of the first objective: an exact fit


class Trace:
    """Notes duality gaps, and asks the callback after each whether to stop.

    Parameters
    ----------
    max_iter : int
        Of each problem on the way.
    callback : callable, optional
        Of a dict; ends the iterations by returning True.
    """

    def __init__(self, max_iter, callback=None):
        self.max_iter, self.callback, self.stopped = max_iter, callback, False
        self.history, self._begun, self._first, self.exhausted = [], 0, 0.0, False

    def begin(self):
        """Begin a problem: each may take as many iterations as there may be."""
        self._begun, self._first, self.exhausted = len(self.history), 0.0, False

    def goes_on(self, gap, objective, tol):
        """Note a gap; tell whether another iteration is to make it small enough."""
        self.history.append(float(gap / objective) if objective else 0.0)
        if self.callback and self.callback({"n_iter": len(self.history), "gap": self.history[-1]}):
            self.stopped = True
        self._first = self._first or objective
        enough = not gap > tol * objective or objective < _ROUNDING * self._first
        self.exhausted = not enough and len(self.history) - self._begun >= self.max_iter
        return not (enough or self.stopped or self.exhausted)
