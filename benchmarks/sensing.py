"""Matrix sensing: ours against the published methods, and low-rank regression against others.

Iterations are counted until the matrix itself is met, of which a solver knows nothing.
"""

import functools

from . import (
    _sensing_large,
    _sensing_noise,
    _sensing_outliers,
    _sensing_recovery,
    _sensing_regression,
)
from ._first_use import first_use_rows

PEERS = ("cvxpy", "tensorly")

BASE = (
    "import numba, sklearn, scipy.special, scipy.sparse.linalg, "
    "numpy as np; "
    "rng = np.random.default_rng(0); left, right = rng.normal(size=(2, 100, 2)); "
    "rows, columns = rng.integers(100, size=(2, 5000))"
)
FIRST = (
    "from lowrank_la.sensing import EntryMeasurements, scaled_gd; "
    "A = EntryMeasurements(rows, columns, (100, 100)); "
    "scaled_gd(A, A.apply_factors(left, right), 2, rng=0)"
)

SECTIONS = {
    **_sensing_recovery.SECTIONS,
    **_sensing_outliers.SECTIONS,
    **_sensing_large.SECTIONS,
    **_sensing_noise.SECTIONS,
    **_sensing_regression.SECTIONS,
    "First use (CPU seconds, against what is allowed)": functools.partial(
        first_use_rows, base=BASE, call=FIRST, name="scaled_gd, entries"
    ),
}
