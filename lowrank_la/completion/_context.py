"""Effects of categories beside the factors: each is fitted to what the other leaves."""

from dataclasses import dataclass

import numpy as np

from .._support.validation import warn_convergence
from ._complete import complete
from ._losses import NORMAL, ROBUST, median

_ROUNDS = 20  # at most, of factors and effects
_GAIN = 1e-3  # share of the sum of squares that a round must take off
_PASSES = 5  # over the columns in a round


@dataclass(frozen=True, eq=False)
class Context:
    """Categories of observations, and how their effects are fitted.

    Attributes
    ----------
    codes : list of ndarray of shape (nnz,), integers
        One array for each column.
    sizes : list of int
        Categories of each column.
    weights : ndarray of shape (nnz,) or (0,)
        Empty if all are one.
    alpha, exponent : float
        The ridge of a category is alpha times this power of the sum of its weights.
    loss : {"squared", "huber", "l1"}
    centred : bool
        A mean stands beside the effects.
    """

    codes: list
    sizes: list
    weights: np.ndarray
    alpha: float
    exponent: float
    loss: str
    centred: bool

    def left(self, values, effects):
        """Values less the effects on them."""
        parts = [effect[codes] for effect, codes in zip(effects, self.codes, strict=True)]
        return (values - np.sum(parts, axis=0)).astype(values.dtype)

    def trust(self, residuals):
        """Weights of least squares: those of outliers are less, unless the loss is squared."""
        weights = self.weights if len(self.weights) else np.ones(len(residuals))
        if self.loss == "squared":
            return weights
        sizes = np.abs(residuals)
        scale = max(
            NORMAL * median(sizes, self.weights), np.finfo(residuals.dtype).eps * sizes.max()
        )
        return weights * ROBUST[self.loss].weights(sizes, scale or 1.0)

    def improved(self, effects, residuals):
        """Least squares for the effects of each column in its turn, from what they leave."""
        effects = list(effects)
        for _ in range(_PASSES):
            weights = self.trust(residuals)
            for c, (codes, size) in enumerate(zip(self.codes, self.sizes, strict=True)):
                target = residuals + effects[c][codes]
                amounts = np.bincount(codes, weights, size)
                ridge = self.alpha * amounts**self.exponent
                effect = np.bincount(codes, weights * target, size) / (amounts + ridge)
                # the mean has no ridge: it takes what the effects have in common
                shift = np.average(effect, weights=amounts**self.exponent) if self.centred else 0.0
                effects[c] = effect - shift
                residuals = target - effects[c][codes] - shift
        return effects


def fit_observations(observations, start, effects, called_off, *, rank, solver, **options):
    """Fit factors, and effects of context in turn with them if there is any.

    Parameters
    ----------
    observations : Observations
    start : CompletionResult or None
        Goes on from there.
    effects : list of ndarray
        One array for each column of context, to begin with; not changed.
    called_off : callable
        Whether the user has asked to stop.
    rank, solver, **options
        As for `complete`; rng is an integer, so that all fits hold out the same observations.

    Returns
    -------
    result : CompletionResult
        Of the values less the effects.
    effects : list of ndarray
    """
    rows, columns, *codes = observations.codes
    values, weights = observations.values, observations.weights

    def solve(values, start, solver):
        return complete(
            rows, columns, values, observations.shape, start.left.shape[1] if start else rank,
            init=start, solver=solver, sample_weight=weights, **options,
        )  # fmt: skip

    def solved(values, before):
        # draws are made when the effects stand
        result = solve(values, before or start, "als" if solver == "gibbs" else solver)
        return result, values - result.predict(rows, columns), called_off()

    if not codes:
        return solve(values, start, solver), effects
    context = Context(
        codes,
        [len(labels) for labels in observations.labels[2:]],
        np.empty(0) if weights is None else weights,
        options["alpha"],
        options["ridge_exponent"],
        options["loss"],
        options["fit_bias"],
    )
    result, effects = fit_effects(solved, values, context, effects)
    if solver == "gibbs":
        result = solve(context.left(values, effects), start, solver)
    return result, effects


def fit_effects(solve, values, context, effects):
    """Fit factors and effects in turn, until the sum of squares hardly falls.

    Parameters
    ----------
    solve : callable
        ``solve(values, before)`` fits the factors, from a result before (None at first), and
        returns the result, the residuals, and whether the user has asked to stop.
    values : ndarray of shape (nnz,)
    context : Context
        Every category is among the observations.
    effects : list of ndarray
        To begin with; not changed.

    Returns
    -------
    result : CompletionResult
        Of the values less the effects.
    effects : list of ndarray

    Warns
    -----
    ConvergenceWarning
        If the sum of squares still falls after 20 rounds.
    """
    unit = float(np.abs(values).max()) or 1.0
    if not any(effect.any() for effect in effects):
        effects = context.improved(
            effects, values - median(values, context.weights) * context.centred
        )
    result, before = None, np.inf
    for _ in range(_ROUNDS):
        result, residuals, stopped = solve(context.left(values, effects), result)
        squares = float(np.sum(context.trust(residuals) * (residuals / unit) ** 2))
        if stopped or squares >= (1 - _GAIN) * before:
            return result, effects
        before, effects = squares, context.improved(effects, residuals)
    warn_convergence(
        "the effects of the context columns still change: make alpha larger, or leave out columns "
        "that the rows or the columns of the matrix determine",
        stacklevel=4,
    )
    return result, effects
