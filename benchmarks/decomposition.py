"""Decompositions by rows and columns: ours against SciPy, scikit-learn, and what users write.

Errors of rows and columns are told in units of that of `randomized_svd` at the same rank, which is
what all of them approximate. Ours are good enough if they exceed those of a pivoted QR
decomposition of a sketch by a tenth at most.
"""

import functools

from . import (
    _decomposition_cur,
    _decomposition_kernels,
    _decomposition_neighbors,
    _decomposition_variants,
)
from ._first_use import first_use_rows

PEERS = ("skmatter",)

BASE = (
    "import numba, sklearn, scipy.linalg, scipy.sparse, numpy as np; "
    "A = np.random.default_rng(0).normal(size=(2000, 500))"
)
FIRST = "from lowrank_la.decomposition import cur; cur(A, 20, rng=0)"

SECTIONS = {
    **_decomposition_cur.SECTIONS,
    **_decomposition_variants.SECTIONS,
    **_decomposition_kernels.SECTIONS,
    **_decomposition_neighbors.SECTIONS,
    "First use (CPU seconds, against what is allowed)": functools.partial(
        first_use_rows, base=BASE, call=FIRST, name="cur"
    ),
}
