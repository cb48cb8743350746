"""Lewis weights: leverage scores for lp losses."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from .._support.blas import single_threaded_blas
from .._support.cuda import is_device_array, to_device
from .._support.result import Result
from .._support.validation import check_integer, warn_convergence, warn_not_converged
from ._rows import ScoredRows, check_number, exact_factor, inverse_root, stable_factor

_TOL, _MAX_ITER = 1e-3, 100
_MEMORY = 5  # steps that the next one is extrapolated from
_RANGE = 300.0  # of logarithms of weights: float64 has some 700 on either side
_ROUNDING = 0.01  # of the tolerance: what rounding may do to a step


@dataclass(frozen=True, eq=False)
class LewisResult(Result):
    """Lewis weights, and how they were found.

    Attributes
    ----------
    weights : array of shape (n,)
        In [0, 1]; their sum is the rank of A, to `tol`. In the precision of A; on the GPU if
        A is there.
    n_iter : int
        Times that the weights were compared with what they define.
    converged : bool
        Whether no weight was farther from that than `tol`.
    history : ndarray
        The largest relative change of a weight that the fixed-point equation asked
        for, in each iteration.
    """

    weights: np.ndarray


def lewis_weights(
    A,
    p=1.0,
    *,
    tol=_TOL,
    max_iter=_MAX_ITER,
    sample_weight=None,
    n_jobs=None,
    device=None,
    rng=None,
):
    """Lewis weights of the rows of a matrix, for any power.

    They are the weights w for which those of a row a is its leverage score after row i
    has been divided by ``w[i]**(1/p - 1/2)``: ``w**(2/p) = a @ inv(A.T @ W**(1 - 2/p) @ A) @ a``.
    Rows drawn in proportion to them keep ``norm(A @ x, p)`` for all x at once.

    Parameters
    ----------
    A : array_like or sparse matrix of shape (n, d)
        Read as it is, like that of :func:`leverage_scores`.
    p : float, default=1.0
        Power of the loss, above zero. With 2 they are the leverage scores.
    tol : float, default=1e-3
        Relative change of a weight that does not count any more.
    max_iter : int, default=100
        Passes over A, at most, are twice as many.
    sample_weight : array_like of shape (n,), default=None
        Weights of the powers ``abs(a @ x)**p``: a row of weight 2 has the weights of
        two rows together, one of weight zero does not count.
    n_jobs : int, default=None
        Threads; None takes what Numba and joblib allow. The result does not
        depend on it.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where A lies. A sparse A is for the CPU only.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None
        Of sketches, which ill-conditioned A need.

    Returns
    -------
    result : LewisResult
        With weights, n_iter, converged, history.

    Raises
    ------
    ValueError
        If A has an entry that is NaN or infinite, a weight is negative, or an argument
        is out of its range.

    Warns
    -----
    ConvergenceWarning
        If a weight changes by more than `tol` after `max_iter` iterations.

    Notes
    -----
    For p < 4 the right side of the equation contracts distances of logarithms of weights by
    ``c = abs(1 - p/2)``, and the weights returned are those after the last change, which is at
    most `tol`: they are off by at most ``c / (1 - c)`` times that change, in logarithms. The
    factor is ``(2 - p) / p`` for p <= 2, hence at most 1 from p = 1 on but large for small p, and
    ``(p - 2) / (4 - p)`` above. For p >= 4 the equation is solved to `tol`, which bounds the
    error up to a factor of p / 2 near the solution.

    An iteration takes a Gram matrix and a product of A with a triangular one: the time is
    that of ``n_iter * n * d**2`` multiplications. It is a fixed-point iteration for
    ``u = (2 / p) * log(w)``, extrapolated by Anderson's method in the metric of the weights.
    Its Jacobian is ``(1 - p / 2)`` times a stochastic matrix, hence a contraction for
    p < 4; for larger p, steps are ``2 / p`` times as long where extrapolation fails, which
    is then ascent of a concave function.

    For p <= 2, the weights bound the lp sensitivities; for p > 2, ``d**(p/2 - 1)`` times
    the weights do.

    References
    ----------
    .. [1] M. B. Cohen, R. Peng, "Lp row sampling by Lewis weights", STOC 2015.
    .. [2] M. Fazel, Y. T. Lee, S. Padmanabhan, A. Sidford, "Computing Lewis weights to
       high precision", SODA 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sampling import lewis_weights
    >>> A = np.vander(np.arange(5.0), 2)
    >>> lewis_weights(A, p=1, tol=1e-9).weights.round(4)
    array([0.5129, 0.3498, 0.2746, 0.3498, 0.5129])
    """
    p, tol = check_number("p", p), check_number("tol", tol)
    check_integer("max_iter", max_iter, 1)
    on_gpu = is_device_array(A)
    rows = ScoredRows("A", A, sample_weight, n_jobs, device, rng)
    weights, history = lewis(rows, p, tol, max_iter)
    converged = history[-1] <= tol
    if not converged:
        warn_not_converged("lewis_weights", max_iter)
    weights = np.minimum(weights, 1.0).astype(rows.dtype)
    return LewisResult(
        weights=to_device(weights) if on_gpu else weights,
        n_iter=len(history),
        converged=bool(converged),
        history=np.array(history),
    )


def lewis(rows, p, tol=_TOL, max_iter=_MAX_ITER):
    """Lewis weights of checked rows, in float64, and the changes of each iteration."""
    return rows.guarded(_lewis, rows, p, tol, max_iter)


def lewis_scores(rows, p):
    """Lewis weights of checked rows, as accurate as scores need be, or a ConvergenceWarning."""
    weights, history = lewis(rows, p)
    if not history[-1] <= _TOL:
        warn_convergence(
            f"Lewis weights for p={p} did not converge in {_MAX_ITER} iterations: a step still "
            f"changes them by {history[-1]:.1g} of themselves; lewis_weights takes more iterations",
            stacklevel=1,
        )
    return weights


def _lewis(rows, p, tol, max_iter):
    forms = _Forms(rows, p, _ROUNDING * tol)
    counted = forms.counted
    if p == 2 or not counted.any():
        return rows.weights * forms.start, [0.0]
    start = np.log(forms.start[counted])
    try:
        u, history = _iterated(forms, start, p, tol, max_iter)
    except FloatingPointError:  # large powers of small forms vanish: begin with forms more alike
        spread = abs(p / 2 - 1) * np.ptp(start)
        nearer = start * min(1.0, _RANGE / spread if spread else 1.0)
        u, history = _iterated(forms, nearer, p, tol, max_iter)
    weights = np.zeros(rows.n)
    weights[counted] = forms.weights(u)
    return weights, history


def _iterated(forms, u, p, tol, max_iter):
    """Logarithms of the forms that define themselves, and the changes of each iteration."""
    steps, history, best = _Extrapolation(min(1.0, 4 / (p + 2))), [], np.inf
    while True:
        u = forms.normalised(u)
        change = forms.of(u) - u
        size = np.abs(change).max()  # large powers of it overflow
        history.append(float(np.expm1(p / 2 * size)))
        if history[-1] <= tol or len(history) == max_iter:
            return (u + change if p < 4 else u), history
        if not size < 2 * best:
            steps = _Extrapolation(min(1.0, 2 / p))
        best = min(best, size)
        u = steps.next(u, change, forms.weights(u))


class _Forms:
    """Quadratic forms q of rows, and those that weights made of them define.

    Lewis weights are the powers ``q**(p/2)`` of ``q = a @ inv(A.T @ diag(q**(p/2 - 1)) @ A) @ a``.
    """

    def __init__(self, rows, p, error):
        self._rows, self._p, self._error = rows, p, error
        self._design, self._base = rows.design(), rows.factor
        self.start = self._design.row_squares(inverse_root(self._base))
        self.counted = (rows.weights > 0) & (self.start > 0)
        self._sample_weight = rows.weights[self.counted]

    def weights(self, u):
        """Lewis weights of rows with forms exp(u)."""
        return self._sample_weight * np.exp(self._p / 2 * u)

    def normalised(self, u):
        """Shift logarithms of forms so that the weights add up to the rank."""
        return u + 2 / self._p * np.log(self._base.rank / self.weights(u).sum())

    def of(self, u):
        """Logarithms of the forms that exp(u) define."""
        weights, powers = np.zeros(self._rows.n), (self._p / 2 - 1) * u
        level = powers.max()
        weights[self.counted] = self._sample_weight * np.exp(powers - level)
        factor = self._factor(self._rows.design(weights))
        return np.log(self._design.row_squares(inverse_root(factor))[self.counted]) - level

    def _factor(self, design):
        """Inverse of a Gram matrix; dependences are known from the first one."""
        if self._base.rows is None:
            return exact_factor(design, self._rows.options, self._error)
        try:
            return self._base.recomputed(design)[0]
        except linalg.LinAlgError:
            return stable_factor(design, self._rows.options)


class _Extrapolation:
    """Anderson's method: the last steps tell where the next one leads to.

    Parameters
    ----------
    damping : float
        Of plain steps.
    """

    def __init__(self, damping):
        self._damping, self._steps, self._last = damping, [], None

    @single_threaded_blas()
    def next(self, u, change, weights):
        """Return the next iterate, from changes that are small in the norm of weights."""
        if self._last is not None:
            step = u - self._last[0], change - self._last[1]
            self._steps = [*self._steps, step][-_MEMORY:]
        self._last = u, change
        moved, residual = u, change
        if self._steps:
            moves, changes = (np.array(part) for part in zip(*self._steps, strict=True))
            scaled = changes * weights
            factors = linalg.lstsq(scaled @ changes.T, scaled @ change, cond=1e-12)[0]
            moved, residual = u - factors @ moves, change - factors @ changes
        return moved + self._damping * residual
