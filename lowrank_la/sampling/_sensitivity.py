"""lp sensitivities: the largest share of an lp norm that a row can have."""

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from scipy import linalg, sparse

from .._support.blas import single_threaded_blas
from .._support.random import as_generator
from .._support.validation import check_choice, check_integer
from ..linear_model._lp_solve import solve_dense
from ._draw import draw
from ._lewis import lewis_scores
from ._rows import ScoredRows, check_number, inverse_root
from ._sizes import sample_size

METHODS = "exact", "approximate"
_SIGNS = 8  # random sums of each block: a row is lost in all of them with probability 1 / 256
_TOL = 1e-6  # of the regressions, relative
_CHUNK = 1 << 22  # numbers in a block of products


def lp_sensitivities(
    A,
    p=1.0,
    *,
    method="exact",
    eps=0.25,
    block_size=None,
    sample_weight=None,
    n_jobs=None,
    rng=None,
):
    """Sensitivities of the rows of a matrix, for lp losses.

    The sensitivity of a row a of A is the largest share ``abs(a @ x)**p / norm(A @ x, p)**p``
    that it has for any x.

    Parameters
    ----------
    A : array_like or sparse matrix of shape (n, d)
        Read as it is, like that of :func:`leverage_scores`.
    p : float, default=1.0
        Power of the loss, at least 1. With 2 they are the leverage scores.
    method : {"exact", "approximate"}, default="exact"
        "exact": an lp regression for each row, on all rows: for thousands of rows.
        "approximate": by a few passes over A; see the notes.
    eps : float, default=0.25
        For "approximate": how far norms of the sample of rows that stands for all may
        be off, in relative terms; below 1.
    block_size : int, default=None
        For "approximate": let so many rows share some lp regressions, on the sample, that
        give upper estimates. None does without, and gives lower ones.
    sample_weight : array_like of shape (n,), default=None
        Weights of the powers ``abs(a @ x)**p``: a row of weight 2 has the sensitivity of
        two rows together, one of weight zero does not count.
    n_jobs : int, default=None
        Threads; None takes what Numba and joblib allow. The result does not
        depend on it.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None
        Of the sample and the blocks of "approximate".

    Returns
    -------
    scores : ndarray of shape (n,)
        In [0, 1], in the precision of A; zero for rows of zeros.

    Raises
    ------
    ValueError
        If A has an entry that is NaN or infinite, a weight is negative, or an argument
        is out of its range.

    Warns
    -----
    ConvergenceWarning
        If the Lewis weights, which "approximate" begins with, did not converge.

    See Also
    --------
    lewis_weights : Upper bounds for p <= 2, at the cost of a few passes over A.
    total_sensitivity : The sum alone.

    Notes
    -----
    "exact" is exact to 1e-6, the tolerance of the regressions: their number is n, and each takes
    some 20 Gram matrices of all rows.

    "approximate" draws rows by their Lewis weights w, enough of them to keep ``norm(A @ x, p)`` for
    all x, and works with these. The estimate is the share that a row has in the direction in
    which its Lewis form is largest: at most the sensitivity, but for the sample's
    distortion, and by Hölder's inequality at least the sensitivity over ``d**abs(1 - p/2)``; at
    random directions the two are equal. The time is that of ``n * m * d`` multiplications, for
    m rows of the sample, of the order of ``d**max(1, p/2) * log(d) / eps**2``.

    With a `block_size`, the rows are hashed into blocks as well; random signed sums of the rows of
    a block are at least as sensitive as each of its rows with probability 1/2, and the largest
    of 8 sums stands for all rows of the block [1]_, unless the Lewis weights bound a row's
    sensitivity by less. Such estimates are safe but high: those of a block's rows add up.

    References
    ----------
    .. [1] S. Padmanabhan, D. P. Woodruff, Q. R. Zhang, "Computing approximate lp
       sensitivities", NeurIPS 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sampling import lp_sensitivities
    >>> A = np.vander(np.arange(5.0), 2)
    >>> lp_sensitivities(A, p=1).round(4)
    array([0.4286, 0.3   , 0.2   , 0.3   , 0.4286])
    """
    p = check_power(p)
    check_choice("method", method, METHODS)
    eps = check_number("eps", eps, 1)
    if block_size is not None:
        check_integer("block_size", block_size, 1)
    rng = as_generator(rng, "rng")
    rows = ScoredRows("A", A, sample_weight, n_jobs, "cpu", rng)
    if p == 2:
        scores = rows.leverage()
    elif method == "exact":
        scores = rows.guarded(_exact, rows, p)
    else:
        scores = sensitivities(rows, p, rng, eps, block_size)
    return np.minimum(scores, 1.0).astype(rows.dtype)


@dataclass(frozen=True)
class TotalSensitivity:
    """Sum of sensitivities, estimated.

    Attributes
    ----------
    estimate : float
    standard_error : float
        Of the estimate: that of the rows drawn, not of the sample that norms are taken of.
    n_rows : int
        Rows drawn, whose sensitivities were computed; 0 for p = 2, where none need be.
    """

    estimate: float
    standard_error: float
    n_rows: int


def total_sensitivity(
    A, p=1.0, *, n_rows=None, eps=0.25, sample_weight=None, n_jobs=None, rng=None
):
    """Sum of the lp sensitivities of all rows, from those of a few.

    It tells how many rows an lp regression needs: the worst case is d for p <= 2, and
    ``d**(p/2)`` above; real data are often far from it.

    Parameters
    ----------
    A : array_like or sparse matrix of shape (n, d)
        Read as it is, like that of :func:`leverage_scores`.
    p : float, default=1.0
        Power of the loss, at least 1. With 2 the sum is the rank.
    n_rows : int, default=None
        Rows to draw. None stands for ``64 + 16 * sqrt(d)``.
    eps : float, default=0.25
        How far norms of the sample of rows that stands for all may be off, in relative
        terms; below 1.
    sample_weight : array_like of shape (n,), default=None
        Weights of the powers ``abs(a @ x)**p``.
    n_jobs : int, default=None
        Threads; None takes what Numba and joblib allow. The result does not
        depend on it.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None

    Returns
    -------
    total : TotalSensitivity
        With estimate, standard_error, n_rows.

    Raises
    ------
    ValueError
        If A has an entry that is NaN or infinite, a weight is negative, or an argument
        is out of its range.

    Warns
    -----
    ConvergenceWarning
        If the Lewis weights did not converge.

    Notes
    -----
    Rows are drawn in proportion to the estimates of :func:`lp_sensitivities`, and an lp regression
    for each gives the ratio of the two, which is at least 1 and at most ``d**abs(1 - p/2)``:
    that, over the root of `n_rows`, bounds the relative standard error. Often the ratio is
    nearly constant, and the error much smaller.

    References
    ----------
    .. [1] S. Padmanabhan, D. P. Woodruff, Q. R. Zhang, "Computing approximate lp
       sensitivities", NeurIPS 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sampling import total_sensitivity
    >>> A = np.vander(np.arange(5.0), 2)
    >>> total = total_sensitivity(A, p=1, n_rows=1000, rng=0)
    >>> round(total.estimate, 1)
    1.7
    """
    p, eps = check_power(p), check_number("eps", eps, 1)
    rng = as_generator(rng, "rng")
    rows = ScoredRows("A", A, sample_weight, n_jobs, "cpu", rng)
    n_rows = 64 + 16 * ceil(sqrt(rows.d)) if n_rows is None else n_rows
    check_integer("n_rows", n_rows, 1)
    if p == 2:
        return TotalSensitivity(float(rows.guarded(lambda: rows.factor.rank)), 0.0, 0)
    return rows.guarded(_total, rows, p, n_rows, eps, rng)


def check_power(p):
    """Return the power of an lp loss that is convex."""
    if check_number("p", p) < 1:
        raise ValueError(f"p={p!r}: a number of at least 1 is needed")
    return float(p)


def sensitivities(rows, p, rng, eps=0.25, block_size=None):
    """Approximate sensitivities of checked rows, in float64."""
    return rows.guarded(_approximate, rows, p, rng, eps, block_size)


def _exact(rows, p):
    B = _whitened(rows, slice(None), rows.weights, p)
    return _shares(B, B, p)


def _approximate(rows, p, rng, eps, block_size):
    sample = _Sample(rows, p, rng, eps)
    scores = sample.own_shares()
    if block_size is not None:
        scores = np.maximum(scores, _hashed(sample, block_size, rng))
    return np.minimum(scores, sample.bounds)


def _total(rows, p, n_rows, eps, rng):
    sample = _Sample(rows, p, rng, eps)
    own = sample.own_shares()
    total = own.sum()
    if not total:
        return TotalSensitivity(0.0, 0.0, 0)
    drawn, counts = np.unique(rng.choice(rows.n, n_rows, p=own / total), return_counts=True)
    shares = sample.shares(_whitened(rows, drawn, rows.weights[drawn], p))
    ratios = np.repeat(np.minimum(shares, sample.bounds[drawn]) / own[drawn], counts)
    error = total * ratios.std() / sqrt(n_rows)
    return TotalSensitivity(float(total * ratios.mean()), float(error), n_rows)


@single_threaded_blas()
def _whitened(rows, chosen, weights, p):
    """Rows times the p-th roots of weights, in coordinates of well-conditioned columns."""
    chosen = rows.A[chosen] * np.asarray(weights[:, None] ** (1 / p), dtype=np.float64)
    return chosen @ inverse_root(rows.factor)


class _Sample:
    """A sample of rows that keeps lp norms, drawn by Lewis weights.

    Attributes
    ----------
    bounds : ndarray of shape (n,)
        Upper bounds of the sensitivities of all rows.
    """

    def __init__(self, rows, p, rng, eps):
        self.rows, self.p = rows, p
        weights = lewis_scores(rows, p)
        rank = rows.factor.rank
        excess = np.minimum(np.float64(max(1, rank)) ** max(0.0, p / 2 - 1), np.finfo(float).max)
        self.bounds = np.minimum(weights * excess, 1.0)
        indices, factors = np.flatnonzero(weights), 1.0
        size = sample_size("lewis", p, rank, rank, eps)
        if size < len(indices):
            indices, factors = draw(weights, int(size), rng)
        self._B = _whitened(rows, indices, factors * rows.weights[indices], p)
        self._lewis = factors * weights[indices]

    def shares(self, V):
        """Sensitivities of vectors, beside the norms of the sample."""
        return _shares(V, self._B, self.p)

    @single_threaded_blas()
    def own_shares(self):
        """Shares of all rows in the directions in which their Lewis forms are largest."""
        rows, p, B = self.rows, self.p, self._B
        shares = np.zeros(rows.n)
        inverse = linalg.pinvh((B.T * self._lewis ** (1 - 2 / p)) @ B)
        step = max(1, _CHUNK // max(1, len(B)))
        for begin in range(0, rows.n, step):
            at = slice(begin, begin + step)
            V = _whitened(rows, at, rows.weights[at], p)
            directions = V @ inverse
            own = np.sum(V * directions, axis=1)
            norms = np.sum(np.abs(B @ directions.T / own) ** p, axis=0)  # large powers may vanish
            np.divide(1.0, norms, out=shares[at], where=own > 0)
        return np.minimum(shares, self.bounds)


def _hashed(sample, block_size, rng):
    """Sensitivities of rows, by random sums of the rows that fall into a block with each."""
    rows, counted, n_signs = sample.rows, np.flatnonzero(sample.bounds), _SIGNS
    k, scores = len(counted), np.zeros(sample.rows.n)
    n_blocks = -(-k // block_size)
    if n_blocks * n_signs >= k:  # no more sums than rows
        n_blocks, n_signs = k, 1
    block, largest = rng.permutation(k) % n_blocks, np.zeros(n_blocks)
    size = rows.weights[counted] ** (1 / sample.p)
    for _ in range(n_signs):
        signed = size * rng.choice([-1.0, 1.0], k)
        sums = sparse.csr_array((signed, (block, counted)), shape=(n_blocks, rows.n)) @ rows.A
        V = sums @ inverse_root(rows.factor)
        largest = np.maximum(largest, sample.shares(V))
    scores[counted] = largest[block]
    return scores


@single_threaded_blas()
def _shares(V, B, p):
    """Largest ``abs(v @ z)**p / norm(B @ z, p)**p`` over z, for each row v of V."""
    return np.array([_share(v, B, p) for v in V])


def _share(v, B, p):
    size = linalg.norm(v)
    if not size:
        return 0.0
    # A reflection maps v to a multiple of the first axis, whose coordinate v @ z = 1 determines.
    mirror = v / size
    sign = 1.0 if mirror[0] >= 0 else -1.0
    mirror[0] += sign
    reflected = B - np.outer(B @ mirror, mirror) * (2 / (mirror @ mirror))
    fixed, free = reflected[:, 0] / size, reflected[:, 1:]
    least = np.sum(np.abs(fixed) ** p)
    if free.shape[1]:
        _, least, _ = solve_dense(np.ascontiguousarray(free), fixed, p, tol=_TOL)
    return 1 / least if least else np.inf
