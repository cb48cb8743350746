"""Rows and columns that span a matrix nearly: their choice, from a sketch of the rows."""

import numpy as np
from scipy import linalg

from .._support.cuda import to_host

_MORE = 4  # rows that are eliminated beyond the columns wanted


def by_lu(matrix, Y, k, largest=0.0):
    """At most k columns of an array, as elimination with partial pivoting takes them.

    Pivots are compared with the largest one, or with that of an array that has become this one.
    """
    order, pivots = matrix.kernels.eliminate(Y)
    found = order[: len(pivots)][_counts(pivots, matrix, largest)]
    if len(found) < min(k, *Y.shape):  # the last pivot may be small by chance: QR knows the rank
        return by_qr(matrix, Y, k, largest)
    return found[:k]


def by_qr(matrix, Y, k, largest=0.0):
    """At most k columns of an array, as QR with column pivoting takes them: somewhat better."""
    triangle, order = linalg.qr(to_host(Y), mode="r", pivoting=True, check_finite=False)
    pivots = np.abs(np.diag(triangle))
    return order[: len(pivots)][_counts(pivots, matrix, largest)].astype(np.intp)[:k]


def in_step(matrix, part):
    """Order of rows of an array in which as many as possible of the first ones have rank as such.

    The first b rows and b columns are what elimination takes, for each b.
    """
    order, pivots = matrix.kernels.eliminate(part.T)
    counts = _counts(pivots, matrix)
    return order[: len(counts) if counts.all() else np.argmin(counts)]


def _counts(sizes, matrix, largest=0.0):
    """Which of some pivots, or singular values, are more than rounding."""
    rounding = 10 * np.finfo(matrix.dtype).eps * len(sizes) ** 0.5  # elimination lets it grow
    return sizes > rounding * np.max(sizes, initial=largest)


def lu_of_sketch(matrix, sketch, k, largest=0.0):
    """At most k columns by elimination, which looks at few rows: what others have is added."""
    first, others = sketch[: k + _MORE], sketch[k + _MORE :]
    mixing = matrix.rng.standard_normal((len(first), len(others))) / max(1, len(others)) ** 0.5
    return by_lu(matrix, first + matrix.xp.asarray(mixing) @ others, k, largest)


def pivoted(of_sketch, pick):
    """Choice by pivots: columns from a sketch, then rows from these columns."""

    def choose(matrix, k, n_rows):
        columns = of_sketch(matrix, matrix.sketch(n_rows), k)
        rows = pick(matrix, matrix.columns(columns).T, k)
        return rows, columns[: len(rows)]

    return choose


def by_deim(matrix, k, n_rows):
    """Choice by elimination of the leading singular vectors (DEIM)."""
    left, right = singular_vectors(matrix, k, n_rows)
    return by_lu(matrix, left.T, k), by_lu(matrix, right.T, k)


def by_leverage(matrix, k, n_rows):
    """Draw in proportion to squared norms in the leading singular subspaces."""
    left, right = singular_vectors(matrix, k, n_rows)
    shares = (to_host((vectors**2).sum(axis=1)) for vectors in (left, right))
    return _independent(matrix, *(_drawn(matrix.rng, share, right.shape[1]) for share in shares))


def by_chance(matrix, k, n_rows):
    """Draw uniformly."""
    return _independent(matrix, *(_drawn(matrix.rng, np.ones(n), k) for n in matrix.shape))


def _drawn(rng, shares, k):
    k = min(k, np.count_nonzero(shares))
    return rng.choice(len(shares), k, replace=False, p=shares / shares.sum() if k else None)


def _independent(matrix, rows, columns):
    """Rows and columns of which none is a combination of the others, the largest ones first."""
    chosen = matrix.rows(rows).T, matrix.columns(columns)
    return tuple(
        indices[by_qr(matrix, part, len(indices))]
        for indices, part in zip((rows, columns), chosen, strict=True)
    )


def singular_vectors(matrix, k, n_rows):
    """Approximate leading singular vectors, by a sketch: arrays of shape (m, k), (n, k)."""
    xp = matrix.xp
    span = xp.linalg.qr(matrix.sketch(n_rows).T)[0]
    basis, triangle = xp.linalg.qr(matrix.times(span))
    left, sizes, right = xp.linalg.svd(triangle, full_matrices=False)
    k = min(k, int(_counts(to_host(sizes), matrix).sum()))
    return basis @ left[:, :k], span @ right[:k].T


PIVOTS = {"lupp": (lu_of_sketch, by_lu), "cpqr": (by_qr, by_qr)}
SELECTIONS = {
    **{name: pivoted(*picks) for name, picks in PIVOTS.items()},
    "deim": by_deim,
    "leverage": by_leverage,
    "uniform": by_chance,
}
