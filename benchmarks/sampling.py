"""Scores of rows, and samples of them: ours against LAPACK and users' loops, and papers' claims.

Scores are right if their relative errors are at most 1e-9, Lewis weights if theirs are at most
1e-3. Coresets are judged by the full objective at the solution of their regression. Of rules for
sampling it is told how many rows they need to keep all lp norms.
"""

import functools

from . import _sampling_claims, _sampling_coresets, _sampling_lewis, _sampling_scores
from ._first_use import first_use_rows

PEERS = ("statsmodels",)

BASE = (
    "import numba, sklearn, scipy.linalg, scipy.sparse, numpy as np; "
    "A = np.random.default_rng(0).normal(size=(20_000, 20))"
)
FIRST = "from lowrank_la.sampling import leverage_scores; leverage_scores(A)"

SECTIONS = {
    **_sampling_scores.SECTIONS,
    **_sampling_lewis.SECTIONS,
    **_sampling_coresets.SECTIONS,
    **_sampling_claims.SECTIONS,
    "First use (CPU seconds, against what is allowed)": functools.partial(
        first_use_rows, base=BASE, call=FIRST, name="leverage_scores"
    ),
}
