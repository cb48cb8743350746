"""Leverage scores: how much a row alone can say about a fit in least squares."""

import numpy as np
from scipy import linalg

from .._support.blas import single_threaded_blas
from .._support.cuda import is_device_array, resolve_device, to_device
from .._support.validation import check_positive, check_threads, check_weights
from ..linear_model._design import Design, column_sizes
from ..linear_model._factor import from_dependent, from_gram, from_sketch
from ..linear_model._lstsq import _power_of_two, checked_design, require_finite, scaled, units
from ..linear_model._methods import Options, seed_of

METHODS = "exact", "stable", "sketched"
# A Gram matrix gives scores to rounding times the condition squared: 1e-8 at this reciprocal one.
_ACCURATE = 1e-4
_DISTORTION = 4  # rows of a sketch for each column, over the square of the error


def leverage_scores(
    A,
    *,
    method="exact",
    ridge=0.0,
    eps=0.25,
    sample_weight=None,
    n_jobs=None,
    device=None,
    rng=None,
):
    """Leverage scores of the rows of a matrix of many more rows than columns.

    The score of a row a of A is ``a @ pinv(A.T @ A) @ a``: the diagonal entry of the projection on
    the range of A. It is the largest share of ``norm(A @ x)**2`` that the row can have.

    Parameters
    ----------
    A : array_like or sparse matrix of shape (n, d)
        float32 and float64 in any order are read as they are, memory maps too;
        other types are converted to float64, other sparse formats to CSR. All
        sums are made in float64.
    method : {"exact", "stable", "sketched"}, default="exact"
        "exact": by the Gram matrix of A, and by a second one in the basis that the
        first gives where A is ill conditioned. "stable": that basis comes from a
        sketch of A, at once; "exact" does the same for condition numbers (of the
        columns scaled to norm one) above 1e7. "sketched": estimates, by a sketch of
        A and a random projection; cheaper for many hundreds of columns only.
    ridge : float, default=0.0
        Of ridge leverage scores ``a @ inv(A.T @ A + ridge * identity) @ a``, whose sum
        is the effective dimension.
    eps : float, default=0.25
        Standard error of the estimates of "sketched", relative to the scores; below 1.
    sample_weight : array_like of shape (n,), default=None
        Weights of the squares ``(a @ x)**2``: a row of weight 2 has the scores of two
        rows together, one of weight zero does not count.
    n_jobs : int, default=None
        Threads; None takes what Numba and joblib allow. The result does not
        depend on it.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where A lies. A sparse A is for the CPU only.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None
        Of sketches.

    Returns
    -------
    scores : array of shape (n,)
        In [0, 1], in the precision of A; on the GPU if A is there. Their sum is the
        rank of A, unless there is a `ridge`.

    Raises
    ------
    ValueError
        If A has an entry that is NaN or infinite, a weight is negative, a sparse A is
        to go to a GPU, or an argument is out of its range.

    See Also
    --------
    lewis_weights, lp_sensitivities : The like of it for other powers than squares.

    Notes
    -----
    The relative error is that of rounding times the condition number of A with columns
    scaled to norm one, but 1e-8 at most where one Gram matrix does. The time is that of
    ``n d**2`` multiplications, twice that for ill-conditioned A; the memory, beside the
    result, that of some 16 matrices of d rows and columns.

    "sketched" takes a Gaussian matrix of ``2 / eps**2`` columns, so that every estimate
    is the score times a chi-squared variable over its degrees of freedom, but for the
    distortion of the sketch, which is of the order of eps.

    References
    ----------
    .. [1] P. Drineas, M. Magdon-Ismail, M. W. Mahoney, D. P. Woodruff, "Fast
       approximation of matrix coherence and statistical leverage", JMLR 13, 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sampling import leverage_scores
    >>> A = np.vander(np.arange(5.0), 2)  # a straight line: the ends say most
    >>> leverage_scores(A).round(12)
    array([0.6, 0.3, 0.2, 0.3, 0.6])
    """
    if method not in METHODS:
        allowed = ", ".join(map(repr, METHODS))
        raise ValueError(f"method={method!r} is unknown; use one of {allowed}")
    ridge, eps = 0.0 if ridge == 0 else check_number("ridge", ridge), check_number("eps", eps, 1)
    on_gpu = is_device_array(A)
    rows = Rows("A", A, sample_weight, n_jobs, device, rng, ridge)
    scores = np.minimum(rows.leverage(method, eps), 1.0).astype(rows.dtype)
    return to_device(scores) if on_gpu else scores


def root_leverage_scores(A, p=1.0, *, sample_weight=None, n_jobs=None, device=None, rng=None):
    """Leverage scores to the power of p / 2: scores for lp losses that cost no iterations.

    Parameters
    ----------
    A : array_like or sparse matrix of shape (n, d)
        Read as it is, like that of :func:`leverage_scores`.
    p : float, default=1.0
        Power of the loss, above zero.
    sample_weight : array_like of shape (n,), default=None
        Weights of the powers ``abs(a @ x)**p``: a row of weight 2 has the scores of two
        rows together, one of weight zero does not count.
    n_jobs : int, default=None
        Threads; None takes what Numba and joblib allow. The result does not
        depend on it.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where A lies. A sparse A is for the CPU only.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None
        Of sketches, which ill-conditioned A need.

    Returns
    -------
    scores : array of shape (n,)
        In the precision of A; on the GPU if A is there. Where no weights are given,
        in [0, 1].

    Raises
    ------
    ValueError
        If A has an entry that is NaN or infinite, a weight is negative, or an argument
        is out of its range.

    See Also
    --------
    lewis_weights : The same in the first iteration, and never a sum above the rank.

    Notes
    -----
    For p <= 2 they bound the lp sensitivities. Their sum may be as large as
    ``n**(1 - p/2) * d**(p/2)``: rows drawn in proportion to them are fewer than so many
    only where the leverage is uneven. The time and the accuracy are those of
    :func:`leverage_scores`.

    References
    ----------
    .. [1] D. P. Woodruff, T. Yasuda, "Sharper bounds for lp sensitivity sampling",
       ICML 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sampling import root_leverage_scores
    >>> A = np.vander(np.arange(5.0), 2)
    >>> root_leverage_scores(A, p=1).round(4)
    array([0.7746, 0.5477, 0.4472, 0.5477, 0.7746])
    """
    p, on_gpu = check_number("p", p), is_device_array(A)
    rows = Rows("A", A, sample_weight, n_jobs, device, rng)
    scores = root_leverage(rows, p).astype(rows.dtype)
    return to_device(scores) if on_gpu else scores


def root_leverage(rows, p):
    """Root leverage scores of checked rows, in float64."""
    weights = rows.weights  # before they are scaled
    leverage = np.minimum(rows.leverage(), 1.0)
    counted = np.where(weights > 0, weights, 1.0)
    return weights * (leverage / counted) ** (p / 2)


def check_number(name, value, below=np.inf):
    """Return a number above zero and below a bound as a float, or raise a ValueError."""
    if not check_positive(name, value) < below:
        raise ValueError(f"{name}={value!r}: a number below {below} is needed")
    return float(value)


class Rows:
    """Rows to be scored: checked, and scaled where squares of them would overflow or vanish.

    Parameters
    ----------
    name : str
        What the user calls them, for errors.
    A : array_like or sparse matrix of shape (n, d)
    sample_weight : array_like of shape (n,), or None
    n_jobs : int, or None
    device : {None, "cpu", "cuda"}
    rng : Generator
    ridge : float

    Attributes
    ----------
    A : array or CSR matrix
    weights : ndarray of shape (n,)
    scale : ndarray of shape (d,)
        What the columns were multiplied by.
    dtype : dtype
        Of scores.
    """

    def __init__(self, name, A, sample_weight=None, n_jobs=None, device=None, rng=None, ridge=0.0):
        if n_jobs is not None:
            check_threads("n_jobs", n_jobs)
        self._name, self._where = name, {"n_threads": n_jobs, "device": resolve_device(device, A)}
        self.A = checked_design(name, A, self._where["device"])
        self.n, self.d = self.A.shape
        self.scale, self._root = np.ones(self.d), np.sqrt(ridge)
        self.weighted = sample_weight is not None
        self.weights = check_weights(sample_weight, self.n)
        self.dtype = np.dtype(np.float32 if self.A.dtype == np.float32 else np.float64)
        self.options, self._factor = Options(seed=seed_of("rng", rng)), None

    @property
    def factor(self):
        """Inverse of the Gram matrix of the rows with their weights."""
        if self._factor is None:
            weights = self.weights if self.weighted else None
            self._factor = exact_factor(self.design(weights), self.options)
        return self._factor

    def design(self, weights=None):
        """Rows times the roots of weights: by default, of none."""
        targets = np.zeros((self.n, 1))  # designs have some; nothing is made of these
        alpha = (self._root * self.scale) ** 2
        return Design(self.A, targets, weights, alpha, **self._where)

    def guarded(self, compute, *args):
        """Compute from rows that may be scaled: what does not depend on the columns' units."""
        try:
            with np.errstate(all="ignore"):
                return compute(*args)
        except FloatingPointError:
            require_finite(self._name, self.A)
        level = 1 / _power_of_two(self.weights.max())
        self.weights, self._root = self.weights * level, self._root * np.sqrt(level)
        sizes = np.maximum(column_sizes(self.A).astype(np.float64), self._root)
        self.scale, self._factor = units(sizes), None
        self.A = scaled(self.A, self.scale)
        try:
            with np.errstate(all="ignore"):
                return compute(*args)
        except FloatingPointError as error:
            raise ValueError(f"{self._name} has rows of too different sizes") from error

    def leverage(self, method="exact", eps=0.25):
        """Leverage scores, in float64."""
        return self.guarded(self._leverage, method, eps)

    def _leverage(self, method, eps):
        design = self.design(self.weights if self.weighted else None)
        m = np.ceil(_DISTORTION * self.d / eps / eps)
        if method == "sketched" and m < self.n:
            return self._estimated(design, int(m), eps)
        factor = stable_factor if method == "stable" else exact_factor
        return design.row_squares(inverse_root(factor(design, self.options)))

    def _estimated(self, design, m, eps):
        rows, _ = design.sketched(self.options.made_sketch(design, m))
        root, k = inverse_root(from_sketch(rows)), int(np.ceil(2 / eps**2))
        if k < root.shape[1]:
            rng = np.random.default_rng(self.options.seed)
            root = root @ (rng.standard_normal((root.shape[1], k)) / np.sqrt(k))
        return design.row_squares(root)


@single_threaded_blas()
def inverse_root(factor):
    """Return M so that ``M @ M.T`` is the (pseudo-)inverse of a design's Gram matrix."""
    return linalg.solve_triangular(factor.core, factor.basis.T, trans=1).T


def exact_factor(design, options, accurate=_ACCURATE):
    """Inverse of the Gram matrix of a design of any conditioning.

    Parameters
    ----------
    design : Design
    options : Options
    accurate : float
        Reciprocal condition numbers from which one Gram matrix will do.

    Returns
    -------
    factor : Factor
    """
    gram, _ = design.gram()
    factor = from_gram(gram, options.negligible)
    if factor is not None and factor.rcond > accurate:
        return factor
    factor = factor or from_dependent(gram, design, options.negligible)
    return factor.recomputed(design)[0] if factor else stable_factor(design, options)


def stable_factor(design, options):
    """Inverse of the Gram matrix of a design, in a basis that a sketch of it gives."""
    sketch = options.made_sketch(design, 4 * design.n_design + 64)
    rows, _ = design.sketched(sketch)
    return from_sketch(rows, options.negligible, design.constant).recomputed(design)[0]
