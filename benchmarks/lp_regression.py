"""Regression in the lp norms: ours against pinball-qr, SciPy and others, and what users write.

A solution of ours is right if it proves a relative duality gap of at most 1e-8, and nobody's
objective is lower by more. Peers that have a tolerance get the one that suffices for 1e-8, and
those without one stop as soon as they are there: what they need is told them, and costs nothing.
"""

import functools

from ._first_use import first_use_rows
from ._lp_contests import MAIN, POWERS, REAL, SEVERAL
from ._lp_races import contest_rows, two_threads_rows

PEERS = ("pinball-qr", "statsmodels", "pyfixest")

BASE = (
    "import numba, sklearn, scipy.linalg, scipy.sparse, numpy as np; "
    "A = np.random.default_rng(0).normal(size=(20_000, 20)); b = A.sum(axis=1) + A[:, 0] ** 2"
)
FIRST = "from lowrank_la.linear_model import lp_regression; lp_regression(A, b)"

SECTIONS = {
    "Two threads (wall time)": two_threads_rows,
    "One thread": functools.partial(contest_rows, contests=MAIN),
    "Nine deciles at once": functools.partial(contest_rows, contests=SEVERAL),
    "Other p": functools.partial(contest_rows, contests=POWERS),
    **{
        f"Real data: {name}": functools.partial(contest_rows, contests=contests)
        for name, contests in REAL.items()
    },
    "First use (CPU seconds, against what is allowed)": functools.partial(
        first_use_rows, base=BASE, call=FIRST, name="lp_regression"
    ),
}
