"""Leverage scores: how much a row alone can say about a fit in least squares."""

import numpy as np

from .._support.cuda import is_device_array, to_device
from .._support.validation import check_choice
from ._rows import ScoredRows, check_number

METHODS = "exact", "stable", "sketched"


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
    scaled to norm one, but up to 1e-8 where one Gram matrix does. The time is that of
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
    check_choice("method", method, METHODS)
    ridge, eps = check_number("ridge", ridge, zero=True), check_number("eps", eps, 1)
    on_gpu = is_device_array(A)
    rows = ScoredRows("A", A, sample_weight, n_jobs, device, rng, ridge)
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
    For p <= 2, and without weights, they bound the Lewis weights, and these the lp
    sensitivities. Their sum may be as large as
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
    rows = ScoredRows("A", A, sample_weight, n_jobs, device, rng)
    scores = root_leverage(rows, p).astype(rows.dtype)
    return to_device(scores) if on_gpu else scores


def root_leverage(rows, p):
    """Root leverage scores of checked rows, in float64."""
    weights = rows.weights  # before they are scaled
    leverage = np.minimum(rows.leverage(), 1.0)
    counted = np.where(weights > 0, weights, 1.0)
    return weights * (leverage / counted) ** (p / 2)
