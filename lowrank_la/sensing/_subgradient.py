"""Subgradient descent in the factors, for absolute residuals."""

from .._support.validation import check_choice, check_positive
from ._checks import checked_task
from ._descent import Method
from ._scaled_gd import unscaled
from ._solve import solve, warn_of


def subgradient(
    A,
    y,
    rank,
    shape=None,
    *,
    symmetric=False,
    fit_intercept=False,
    step="geometric",
    step_size=0.3,
    decay=0.99,
    init_scale=1e-6,
    sample_weight=None,
    tol=1e-10,
    max_iter=5000,
    callback=None,
    rng=None,
):
    """TODO."""
    task, rng = checked_task(
        A, y, rank, shape, symmetric=symmetric, loss="sign", losses=("sign",), alpha=0.0,
        fit_intercept=fit_intercept, sample_weight=sample_weight, early_stopping=False,
        validation_fraction=0.5, tol=tol, max_iter=max_iter, callback=callback, rng=rng,
        init_scale=init_scale,
    )  # fmt: skip
    result, _ = solve(task, subgradient_method(step, step_size, decay), rng)
    warn_of("subgradient", result, task, 2)
    return result


def subgradient_method(step="geometric", step_size=0.3, decay=0.99):
    """Return a function of a scale that makes the method, from checked options."""
    check_choice("step", step, ("geometric", "polyak"))
    step_size, decay = check_positive("step_size", step_size), check_positive("decay", decay)
    if decay > 1:
        raise ValueError(f"decay={decay!r}: a number of at most 1 is needed")

    def method_of(scale):
        def precondition(factors, gradient, residual):
            return unscaled(factors, gradient, scale)

        def geometric(problem, point, direction, n_iter):
            return _moved(problem, point, direction, step_size * decay**n_iter)

        def polyak(problem, point, direction, n_iter):
            slope = scale.norm * scale.curvature * direction.dot(direction)
            return _moved(problem, point, direction, problem.loss.value(point.prediction) / slope)

        return Method(precondition, geometric if step == "geometric" else polyak)

    return method_of


def _moved(problem, point, direction, size):
    return problem.measured(point.factors.plus(-size, direction), point.constant)
