"""Matrix completion: ours against cmfrec, myFM, Surprise, Cornac, scikit-learn's imputers.

Ours are good enough by their errors, which are told beside the times: of ratings that were held
out, of all entries of a matrix of low rank, of the pixels that were hidden.
"""

import functools

from . import (
    _completion_dense,
    _completion_phase,
    _completion_ratings,
    _completion_recovery,
    _completion_scale,
)
from ._first_use import first_use_rows

PEERS = ("cmfrec", "myfm", "scikit-surprise", "cornac")

BASE = (
    "import numba, sklearn, scipy.linalg, scipy.sparse, numpy as np; "
    "rng = np.random.default_rng(0); rows, columns = rng.integers(500, size=(2, 20_000))"
)
FIRST = "from lowrank_la.completion import complete; complete(rows, columns, rows * 1.0, rng=0)"

SECTIONS = {
    **_completion_ratings.SECTIONS,
    **_completion_scale.SECTIONS,
    **_completion_recovery.SECTIONS,
    **_completion_dense.SECTIONS,
    **_completion_phase.SECTIONS,
    "First use (CPU seconds, against what is allowed)": functools.partial(
        first_use_rows, base=BASE, call=FIRST, name="complete"
    ),
}
