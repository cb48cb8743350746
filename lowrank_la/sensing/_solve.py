"""From checked measurements to a result: units, starts, stages, ranks."""

import warnings
from dataclasses import dataclass

import numpy as np

from .._support.blas import single_threaded_blas
from .._support.validation import warn_convergence, warn_not_converged
from ._descent import Trace, descend
from ._losses import Absolute, Dropped, Huber, Logistic, SharplyAbsolute, Sign, Squared
from ._problem import Factors, Problem, leading, random_start, scale_of
from ._result import SensingResult

# "absolute": residuals that are far too large are left out on the way to where to begin
STAGES = {
    "squared": [Squared],
    "huber": [Huber],
    "absolute": [Dropped, Absolute, SharplyAbsolute],
    "sign": [Sign],
    "logistic": [Logistic],
}
_AS_LARGE = 0.5  # as what was found
_STANDS_OUT = 3.0  # times the spectral norm of what the residuals look like
_SLIGHT = 0.01  # of the singular values by which a penalty makes others less
_NEGLIGIBLE = 100.0  # times `tol`, of the largest singular value


@dataclass(frozen=True, eq=False)
class Task:
    """Checked measurements, and options that all methods have."""

    A: object
    y: np.ndarray
    weights: np.ndarray
    rank: int
    symmetric: bool
    loss: str
    alpha: float  # for the mean of the losses
    constant: bool
    init_scale: float
    imbalance: float
    validation_fraction: float  # zero where nothing is held out
    tol: float
    max_iter: int
    callback: object
    passing_constant: bool = False  # fitted on the way alone, where the A_i have a mean

    def held_out(self, rng):
        """Weights of what is fitted, and of what is held out."""
        if not self.validation_fraction:
            return self.weights, None
        counted = rng.permutation(np.flatnonzero(self.weights))
        n_held = min(max(1, round(self.validation_fraction * len(counted))), len(counted) - 1)
        if not n_held:
            raise ValueError("early_stopping=True: of one measurement none can be held out")
        held = np.zeros_like(self.weights)
        held[counted[:n_held]] = self.weights[counted[:n_held]]
        return self.weights - held, held


@single_threaded_blas()  # the same bits for any number of threads
def solve(task, method_of, rng):
    """Descend by the method that `method_of` makes of a scale, through the stages of the loss.

    Returns
    -------
    result : SensingResult
    value : float
        The mean loss that was reached, without the penalty.
    """
    fitted, held = task.held_out(rng)
    stages, alpha = STAGES[task.loss], task.alpha * fitted.sum()
    constants = [task.constant or task.passing_constant] * len(stages)
    if task.passing_constant:
        stages, constants = [*stages, stages[-1]], [*constants, False]
    held_out = None if held is None else stages[-1](task.y, held, task.constant)
    problems = [
        Problem(task.A, loss(task.y, fitted, constant), alpha, constant)
        for loss, constant in zip(stages, constants, strict=True)
    ]
    scale = scale_of(problems[0], rng)
    size = task.init_scale**2 * scale.norm
    factors = random_start(task.A.matrix_shape, task.rank, size, task.symmetric, rng)
    if not task.symmetric:
        factors = Factors(factors.left, factors.right / task.imbalance)
    trace = Trace(task.tol, task.callback, held_out)
    if _constant_suffices(problems[-1], scale, task.tol):
        problem, converged = problems[-1], True
        point = problem.measured(factors.plus(-1, factors), problem.loss.start)
        problem.loss.adapt(point.prediction)
        point = problem.settled(point)
    else:
        problem, point, converged = _descend(problems, factors, method_of(scale), task, trace)
    return _result(task, problem, point, scale, converged, trace, rng)


def _constant_suffices(problem, scale, tol):
    """Whether the matrix of zeros is the best: it fits, or no step outweighs the penalty."""
    prediction = np.full(len(problem.loss.y), problem.loss.start)
    fits = problem.loss.relative(prediction) <= tol
    return fits or not scale.norm or scale.slope <= problem.alpha


def _descend(problems, factors, method, task, trace):
    """Descend in one problem after the other; return the last, its point, and convergence."""
    for problem in problems:
        trace.begin()
        left = task.max_iter - len(trace.residuals)
        with np.errstate(over="ignore", invalid="ignore"):
            point, converged = descend(problem, factors, method, left, trace)
        factors = point.factors
        exact = problem.loss.relative(point.prediction) <= task.tol
        if not converged or exact and problem.constant == task.constant:
            break
    if trace.diverged:
        warn_convergence("the steps led astray: take a smaller step_size", 5)
    return problem, point, converged


def _result(task, problem, point, scale, converged, trace, rng):
    factors = point.factors.canonical()
    left = factors.left.astype(task.A.dtype, copy=False)
    values, rank = np.linalg.norm(factors.left, axis=0) ** 2, 0
    if scale.norm:
        slope, *directions = _left_over(problem, point, rng)
        if converged and task.symmetric and slope > _AS_LARGE * scale.curvature * values[0]:
            _warn_unless_definite(*directions)
        rank = _rank(values, slope, problem, scale, trace)
    result = SensingResult(
        n_iter=len(trace.residuals),
        converged=converged,
        history=np.array(trace.residuals),
        left=left,
        right=left if task.symmetric else factors.right.astype(left.dtype, copy=False),
        rank=rank,
        intercept=float(point.constant),
        singular_values_history=np.array(trace.singular_values).reshape(-1, len(values)),
        validation_history=np.array(trace.validation),
    )
    return result, problem.loss.value(point.prediction) / problem.loss.weights.sum()


def _left_over(problem, point, rng):
    """Leading singular value and vectors of what the residuals look like."""
    loss = problem.loss.smooth()
    loss.adapt(point.prediction)
    z, _ = loss.derivatives(point.prediction)
    return leading(problem.A, z, rng)


def _rank(values, slope, problem, scale, trace):
    """How many singular values are more than what residuals, or the tolerance, could make."""
    # where the penalty is in balance, the slope is alpha
    noise = max(slope - problem.alpha, _SLIGHT * problem.alpha) / scale.curvature
    error = trace.overfit() * problem.loss.norm() / scale.curvature**0.5
    least = max(_STANDS_OUT * noise, error, _NEGLIGIBLE * trace.tol * values[0])
    return int(np.sum(values > least))


def _warn_unless_definite(left, right):
    """Tell that the largest part of the residuals is not a multiple of a symmetric square."""
    if np.vdot(left, -right) < _AS_LARGE:
        warnings.warn(
            "symmetric=True, but the measurements hold parts about as large as what was found that "
            "are not positive semi-definite: if they are not noise, use symmetric=False",
            stacklevel=6,
        )


def warn_of(name, result, task, stacklevel):
    """Tell that the iterations ran out."""
    if not result.converged and result.n_iter >= task.max_iter:
        warn_not_converged(name, task.max_iter, stacklevel=stacklevel + 1)
