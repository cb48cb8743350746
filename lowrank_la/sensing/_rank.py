"""Choice of a rank: that with the least Bayesian information criterion."""

from dataclasses import replace

import numpy as np

from ._checks import degrees_of_freedom
from ._losses import weighted_quantile
from ._solve import solve

_SHARE = 0.75  # of the measurements that degrees of freedom may use up: noise is fitted beyond
_RISES = 2  # in a row, after which larger ranks are not tried


def solve_best_rank(task, total, method_of, seed):
    """Fit ranks 1, 2, ... and keep the one whose criterion is least.

    Rank 1 is always tried. The search ends where measurements are met exactly, where the
    criterion has risen twice in a row, or where too few measurements are left to tell noise.

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
        For ranks 1, 2, ..., those that were tried.
    """
    shape, best, criteria = task.A.matrix_shape, None, []
    for rank in range(1, min(shape) + 1):
        free = degrees_of_freedom(shape, rank, task.symmetric) + task.constant
        if criteria and free > _SHARE * total:
            break
        rng = np.random.default_rng(seed)
        result, loss = solve(replace(task, rank=rank), method_of, rng)
        misfit = result.history[-1] if result.n_iter else 1.0
        criteria.append(_deviance(task, total, result, loss, free / total) + free * np.log(total))
        if criteria[-1] == min(criteria):
            best = result
        if misfit <= task.tol or (rank > _RISES and _rises(criteria[-_RISES - 1 :])):
            break
    return best, np.array(criteria)


def _deviance(task, total, result, loss, used):
    """Twice the negative logarithm of the likelihood, but for a constant.

    That of residuals whose scale is estimated is the logarithm of the scale, for each of them:
    of the root mean square for normal noise, of a quantile where some are outliers, which would
    hide in any mean what the rest tell.
    """
    if task.loss == "logistic":
        return 2 * total * loss
    misfit = result.history[-1] if result.n_iter else 1.0
    if task.loss != "squared" and misfit > task.tol and used < 1:
        misfit = _quantile(task, result, used)
    return 2 * total * np.log(max(misfit, task.tol))


def _quantile(task, result, used):
    """Median of the residuals that a fit could not bring to zero by the numbers that it has."""
    prediction = task.A.apply_factors(result.left, result.right) + result.intercept
    sizes = np.abs(prediction - task.y)
    return weighted_quantile(sizes, task.weights, (1 + used) / 2) / (np.abs(task.y).mean() or 1.0)


def _rises(values):
    return all(later > earlier for earlier, later in zip(values, values[1:], strict=False))
