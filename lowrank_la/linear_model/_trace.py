"""What an iteration leaves behind besides its solution: the gaps on its way."""


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
        self.history, self._begun = [], 0

    def begin(self):
        """Begin a problem: each may take as many iterations as there may be."""
        self._begun = len(self.history)

    def goes_on(self, gap, objective, tol):
        """Note a gap; tell whether another iteration is to make it small enough."""
        self.history.append(float(gap / objective) if objective else 0.0)
        if self.callback and self.callback({"n_iter": len(self.history), "gap": self.history[-1]}):
            self.stopped = True
        return (
            gap > tol * objective
            and not self.stopped
            and len(self.history) - self._begun < self.max_iter
        )
