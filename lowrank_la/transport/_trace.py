"""What a solver leaves behind besides potentials: its stages, its history, and how it ended."""

from typing import NamedTuple


class Stage(NamedTuple):
    """What was done at one strength of regularisation.

    Attributes
    ----------
    reg : float
        The strength.
    n_sinkhorn, n_newton : int
        Scaling steps, and Newton steps that were accepted.
    n_cg : int
        Iterations of conjugate gradients, in all Newton steps together.
    """

    reg: float
    n_sinkhorn: int
    n_newton: int
    n_cg: int


class Trace:
    """Counts the passes over the costs, and asks the callback after each whether to stop."""

    def __init__(self, max_iter, callback=None):
        self.max_iter, self.callback, self.stopped = max_iter, callback, False
        self.history, self._stages = [], []

    @property
    def ended(self):
        return self.stopped or len(self.history) >= self.max_iter

    @property
    def stages(self):
        return tuple(Stage(*counts) for counts in self._stages)

    def begin(self, reg):
        """Begin a stage."""
        self._stages.append([reg, 0, 0, 0])

    def count(self, n_sinkhorn=0, n_newton=0, n_cg=0):
        """Add to what the stage has done."""
        for i, n in enumerate((n_sinkhorn, n_newton, n_cg), start=1):
            self._stages[-1][i] += n

    def passed(self, error):
        """Note a pass, and the marginal error found in it."""
        if self.ended:  # it only makes the rows right
            return
        self.history.append(error)
        info = {"n_iter": len(self.history), "error": error, "reg": self._stages[-1][0]}
        self.stopped = self.stopped or bool(self.callback and self.callback(info))
