"""What solvers return."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Result:
    """What every solver tells besides its solution.

    Attributes
    ----------
    n_iter : int
        Iterations done.
    converged : bool
        Whether the stopping criterion was met before the iterations ran out.
    history : ndarray
        The objective after each iteration.
    """

    n_iter: int
    converged: bool
    history: np.ndarray = field(repr=False)
