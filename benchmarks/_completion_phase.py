"""Which matrices are recovered: ours and ALS, for more and more entries, of several ranks.

A row is a point of a picture: its title ends with rank and oversampling, its qualities are shares.
"""

import numpy as np

from . import _completion_problems as problems
from ._completion_recovery import ALS, OURS, RECOVERED, SOLVERS, draws
from ._harness import Row

RANKS = 2, 5, 10
OVERSAMPLINGS = 1.1, 1.2, 1.3, 1.5, 2.0, 3.0, 4.0, 6.0
_SIZE, _KAPPA, _DRAWS = 300, 10, 5


def phase_rows(bench):
    """Yield the shares of draws that are recovered."""
    SOLVERS[OURS](problems.recovery(40, 40, 2, 4, 1, 0))  # compiles
    n, n_draws = (60, 2) if bench.quick else (_SIZE, _DRAWS)
    for rank in RANKS[:1] if bench.quick else RANKS:
        for oversampling in OVERSAMPLINGS[::3] if bench.quick else OVERSAMPLINGS:
            made = [
                problems.recovery(n, n, rank, oversampling, _KAPPA, seed) for seed in range(n_draws)
            ]
            mine, theirs = (draws(solver, made) for solver in (OURS, ALS))
            yield Row(
                f"{n}x{n} kappa={_KAPPA} r={rank} os={oversampling:g}", OURS, ALS,
                np.median(mine.seconds), np.median(theirs.seconds),
                measure=f"share with an error < {RECOVERED:g}", quality=mine.share(RECOVERED),
                peer_quality=theirs.share(RECOVERED), note=f"medians of {n_draws} draws",
            )  # fmt: skip


SECTIONS = {"Phase transition": phase_rows}
