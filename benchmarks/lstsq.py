"""Least squares on tall data: ours against NumPy, SciPy, scikit-learn, and what users write.

A solution of ours is right if its backward error is at most 2e-16, and its forward error at
most a few times that of LAPACK's QR factorisation with pivoting (gelsy), where that takes part.
"""

import functools

from . import _lstsq_awkward, _lstsq_sketches
from ._first_use import first_use_rows
from ._lstsq_contests import HARD, MAIN, OTHERS
from ._lstsq_races import contest_rows, setting_rows

PEERS = ("threadpoolctl",)
TWO_BLAS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2")


def contests_rows(bench, contests):
    for contest in contests:
        yield from contest_rows(bench, contest)


BASE = (
    "import numba, sklearn, scipy.linalg, scipy.sparse, numpy as np; "
    "A = np.random.default_rng(0).normal(size=(20_000, 20)); b = A.sum(axis=1)"
)
FIRST = "from lowrank_la.linear_model import lstsq; lstsq(A, b)"

SECTIONS = {
    "Dense": functools.partial(contests_rows, contests=MAIN),
    "Dense, ill conditioned": functools.partial(contests_rows, contests=[HARD]),
    "Dense, other shapes": functools.partial(contests_rows, contests=OTHERS),
    **_lstsq_awkward.SECTIONS,
    **_lstsq_sketches.SECTIONS,
    "Dense, two threads (wall time)": functools.partial(
        setting_rows, threads=2, variables=TWO_BLAS
    ),
    "Dense, BLAS with OPENBLAS_CORETYPE=Haswell": functools.partial(
        setting_rows, variables={"OPENBLAS_CORETYPE": "Haswell"}
    ),
    "First use (CPU seconds, against what is allowed)": functools.partial(
        first_use_rows, base=BASE, call=FIRST, name="lstsq"
    ),
}
