"""Choice of a rank: that with the least Bayesian information criterion."""

from dataclasses import replace

import numpy as np

from ._checks import degrees_of_freedom
from ._losses import weighted_quantile
from ._scaled_gd import scaled_method
from ._solve import solve

_SHARE = 0.75  # of the measurements that degrees of freedom may use up: noise is fitted beyond
_HELD_OUT = 0.1
_RISES = 2  # in a row, after which larger ranks are not tried


def solve_best_rank(task, total, method_of, seed):
    """Fit ranks 0, 1, 2, ... and keep the one whose criterion is least.

    Rank 1 is always tried. The search ends where measurements are met exactly, where too few
    measurements are left to tell noise, or where the criterion has risen twice in a row, but not
    before the rank that a fit of all ranks, stopped early, finds.

    Parameters
    ----------
    task : Task
        Its rank is not used.
    total : float
        Number of measurements; one that comes twice, or has weight 2, counts twice.
    method_of : callable
        Makes the method of descent from a scale.
    seed : int
        Of all starts.

    Returns
    -------
    result : SensingResult
        Its factors have as many columns as the chosen rank.
    criteria : ndarray
        For ranks 0, 1, 2, ..., those that were tried.
    """
    shape, scouted = task.A.matrix_shape, None
    nothing = replace(task, alpha=np.inf)  # with which no matrix is worth its penalty
    best, value = solve(nothing, method_of, np.random.default_rng(seed))
    criteria = [_deviance(task, total, best, value, 0.0) + task.constant * np.log(total)]
    for rank in range(1, min(shape) + 1):
        free = degrees_of_freedom(shape, rank, task.symmetric) + task.constant
        if rank > 1 and free > _SHARE * total:
            break
        result, value = solve(replace(task, rank=rank), method_of, np.random.default_rng(seed))
        criteria.append(_deviance(task, total, result, value, free / total) + free * np.log(total))
        if criteria[-1] == min(criteria):
            best = result
        if result.n_iter and result.history[-1] <= task.tol:
            break
        if rank > _RISES and (np.diff(criteria[-_RISES - 1 :]) > 0).all():
            scouted = _scouted_rank(task, seed) if scouted is None else scouted
            if rank >= scouted:
                break
    return best, np.array(criteria)


def _scouted_rank(task, seed):
    """Rank that a fit of all ranks finds until held-out measurements end it.

    The first of many singular values that are about equal do not gain what they cost.
    """
    task = replace(task, rank=min(task.A.matrix_shape), validation_fraction=_HELD_OUT)
    if np.count_nonzero(task.weights) * _HELD_OUT < 1:
        return 0
    result, _ = solve(task, scaled_method(early_stopping=True), np.random.default_rng(seed))
    return result.rank


def _deviance(task, total, result, value, used):
    """Twice the negative logarithm of the likelihood, but for a constant.

    That of residuals whose scale is estimated is the logarithm of the scale, for each of them:
    of the root mean square for normal noise, of a quantile where some are outliers, which would
    hide in any mean what the rest tell.
    """
    if task.loss == "logistic":
        return 2 * total * value
    misfit = result.history[-1] if result.n_iter else 1.0
    if task.loss != "squared" and misfit > task.tol and used < 1:
        misfit = _quantile(task, result, used)
    return 2 * total * np.log(max(misfit, task.tol))


def _quantile(task, result, used):
    """Median of the residuals that a fit could not bring to zero by the numbers that it has."""
    prediction = task.A.apply_factors(result.left, result.right) + result.intercept
    sizes = np.abs(prediction - task.y)
    unit = np.average(np.abs(task.y), weights=task.weights) or 1.0
    return weighted_quantile(sizes, task.weights, (1 + used) / 2) / unit
