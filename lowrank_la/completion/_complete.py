"""A matrix from some of its entries."""

from dataclasses import replace

import numpy as np

from .._support.random import as_generator
from .._support.validation import warn_convergence, warn_not_converged
from ._altmin import alternate, left_over, spectral_start
from ._continuation import recover
from ._entries import arranged, moments
from ._gibbs import sample
from ._held_out import Watch, chosen_rank
from ._problem import (
    check_flag,
    check_share,
    checked_data,
    checked_options,
    checked_rank,
    warn_of_undetermined,
)
from ._result import CompletionResult, model_of
from ._robust import fit_robust

_LEAST_RIDGE = 1e-12  # lines that determine less than they have unknowns would go anywhere
_SLIGHT_RIDGE = 1e-6
_LARGEST = 1e3  # root mean square of a completed matrix whose entries have one


def complete(
    rows,
    columns,
    values,
    shape=None,
    rank=10,
    *,
    alpha=1.0,
    ridge_exponent=0.5,
    fit_bias=True,
    loss="squared",
    nonnegative=False,
    sample_weight=None,
    solver="auto",
    early_stopping=False,
    validation_fraction=0.1,
    tol=None,
    max_iter=None,
    init=None,
    executor=None,
    device=None,
    callback=None,
    rng=None,
):
    """Fill in a matrix from some of its entries.

    Entry (i, j) is taken for ``left[i] @ right[j] + row_bias[i] + column_bias[j] + mean``.

    Parameters
    ----------
    rows, columns : array_like of int, shape (nnz,)
        Where the entries are. A pair that comes twice was observed twice.
    values : array_like of shape (nnz,)
        float32 is computed in; other types are converted to float64.
    shape : tuple of two int, default=None
        Of the matrix; None ends with the last row and column that have an entry.
    rank : int or "auto", default=10
        Columns of each factor. "auto" takes the least one that meets held-out entries within
        0.2 % of the best, and fits all entries with it.
    alpha : float, default=1.0
        Ridge, for values divided by their spread: it has no unit. Zero for data without noise;
        less than one where `ridge_exponent` is 1, lest nothing is left.
    ridge_exponent : float, default=0.5
        The ridge of a row or column with n entries is ``alpha * n**ridge_exponent``; from 0 to 1.
    fit_bias : bool, default=True
        Fit a mean, and a bias of each row and column.
    loss : {"squared", "huber", "l1"}, default="squared"
        "huber" counts residuals beyond 1.345 standard deviations, told from the median, by their
        size; "l1" counts all so. With ``alpha=0``, "l1" finds gross errors in data that are exact
        otherwise.
    nonnegative : bool, default=False
        Keep both factors (not the biases) at zero or above; for the solver "als".
    sample_weight : array_like of shape (nnz,), default=None
        Weights of the squares; a weight of 2 counts as an entry that comes twice.
    solver : {"auto", "als", "gauss_newton", "gibbs"}, default="auto"
        "als": alternating least squares, for data with noise. "gauss_newton": a ridge that falls
        and is reweighted, then Gauss-Newton steps, for data without: it recovers a matrix from
        little more than the numbers that its factors have. "gibbs": draws from the posterior and
        averages their predictions: the most accurate for ratings, at ten times the cost; it
        learns its own ridge. "auto" is "als" for a positive `alpha`, or with `nonnegative`, else
        "gauss_newton".
    early_stopping : bool, default=False
        Hold out entries, end when they are met worse in five sweeps, and keep the best sweep.
        For the solver "als" and the loss "squared".
    validation_fraction : float, default=0.1
        Share of the entries held out for this, or for ``rank="auto"``.
    tol : float, default=None
        End when the objective falls by less than this share in a sweep; for "gauss_newton", when
        the root mean square residual is below it. None takes 1e-4, and 1e-10.
    max_iter : int, default=None
        Sweeps, or steps; None takes 100 for "als", 1000 for "gauss_newton", 200 for "gibbs".
    init : CompletionResult, default=None
        Go on from there; the matrix may have more rows and columns, and a larger rank.
    executor : concurrent.futures.Executor, default=None
        Does runs of about a million entries; for "als" with the loss "squared".
    device : {None, "cpu", "cuda"}, default=None
        Where to do sweeps; "cuda" is for "als" with the loss "squared".
    callback : callable, default=None
        Called with a dict of ``n_iter`` and ``loss`` after each iteration; if it returns True,
        the fit ends.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None

    Returns
    -------
    result : CompletionResult

    Raises
    ------
    ValueError
        If there are no entries, values are not finite, an index lies outside the shape, or an
        argument is out of its range or at odds with the solver.

    Warns
    -----
    ConvergenceWarning
        If the iterations ran out, or no matrix of the rank meets the entries with ``alpha=0``.
    UserWarning
        If the rank is more than the matrix can have; it is clipped. If ``alpha=0`` and the entries
        cannot determine a matrix of this rank: they are too few, or fall apart.

    See Also
    --------
    MatrixCompletionRegressor : The estimator, for ratings.
    LowRankImputer : The estimator, for tables with gaps.

    Notes
    -----
    A sweep takes ``O(nnz * rank)`` operations: the least squares of each row are solved by a
    few conjugate gradient steps from where they are, as accurately as the sweep can use [1]_;
    up to rank 12 by Cholesky's method, ``O(nnz * rank**2)``, which is faster there. Entries are
    kept in two orders, 24 bytes an entry in float64, 40 with weights. The start is the leading
    singular vectors of the entries, trimmed [2]_. Near the limit of what can be recovered, a
    nonconvex penalty of the singular values falls step by step [3]_ before Gauss-Newton steps
    on the tangent space end with quadratic convergence. The Gibbs sampler is that of [4]_.

    References
    ----------
    .. [1] Gu, Song, Yin, Zhang, "Low Rank Matrix Completion via Robust Alternating Minimization in
       Nearly Linear Time", ICLR 2024 (arXiv 2302.11068).
    .. [2] Keshavan, Montanari, Oh, "Matrix Completion from a Few Entries", IEEE Transactions on
       Information Theory 56, 2010.
    .. [3] Kummerle, Mayrink Verdun, "A Scalable Second Order Method for Ill-Conditioned Matrix
       Completion from Few Samples", ICML 2021.
    .. [4] Salakhutdinov, Mnih, "Bayesian Probabilistic Matrix Factorization using Markov Chain
       Monte Carlo", ICML 2008.

    Examples
    --------
    Five numbers of a multiplication table tell the other four:

    >>> import numpy as np
    >>> from lowrank_la.completion import complete
    >>> rows, columns = [0, 0, 0, 1, 2], [0, 1, 2, 1, 1]
    >>> found = complete(rows, columns, [1, 2, 3, 4, 6], rank=1, alpha=0, fit_bias=False, rng=0)
    >>> np.round(found.left @ found.right.T, 6)
    array([[1., 2., 3.],
           [2., 4., 6.],
           [3., 6., 9.]])
    """
    data = checked_data(rows, columns, values, shape, sample_weight)
    rank = checked_rank(rank, data.shape)
    check_share("validation_fraction", validation_fraction)
    check_flag("early_stopping", early_stopping)
    options = checked_options(
        alpha=alpha, ridge_exponent=ridge_exponent, fit_bias=fit_bias, loss=loss,
        nonnegative=nonnegative, solver=solver, tol=tol, max_iter=max_iter, executor=executor,
        device=device, callback=callback,
    )  # fmt: skip
    _check_init(init, rank, data.shape, options.fit_bias)
    if options.solver == "gauss_newton" and options.alpha == 0 and rank != "auto":
        warn_of_undetermined(data, rank)
    if early_stopping and (options.solver != "als" or loss != "squared"):
        raise ValueError("early_stopping=True is for solver='als' and loss='squared'")
    rng = as_generator(rng, "rng")
    if rank == "auto":
        rank = _held_out_rank(data, options, validation_fraction, rng)
    held_out = None
    if early_stopping:
        data, held_out = _split(data, validation_fraction, rng)
    result = _fit(data, rank, options, rng, held_out, init)
    if not result.converged:
        _warn(result, options)
    return result


def _warn(result, options):
    solver = f"solver={options.solver!r}"
    if result.n_iter >= options.max_iter:
        warn_not_converged(solver, options.max_iter, stacklevel=4)
    else:
        warn_convergence(
            f"{solver} found no matrix of this rank that meets the entries: take another rank, or "
            "alpha above zero if they have noise",
            stacklevel=3,
        )


def _held_out_rank(data, options, share, rng):
    """Rank that meets held-out entries best, each fitted with the same numbers at random."""
    part, held_out = _split(data, share, rng)
    seed, quiet = int(rng.integers(2**63)), replace(options, callback=None)

    def error_of(rank):
        found = _fit(part, rank, quiet, np.random.default_rng(seed))
        errors = found.predict(held_out.rows, held_out.columns) - held_out.values
        return float(np.average((errors / found._scale) ** 2, weights=held_out.weights)) ** 0.5

    # more numbers than entries cannot be told from each other
    m, n = data.shape
    most = next((k for k in range(1, min(m, n)) if k * (m + n - k) > len(part)), min(m, n))
    return chosen_rank(error_of, most)


def _split(data, share, rng):
    """Entries to fit, and entries held out; those without weight are neither."""
    counted = np.arange(len(data)) if data.weights is None else np.flatnonzero(data.weights)
    order = rng.permutation(counted)
    n_held = min(max(1, round(share * len(order))), len(order) - 1)
    if not n_held:
        raise ValueError(
            "one entry is observed: none can be held out for early_stopping or rank='auto'"
        )
    return data.part(np.sort(order[n_held:])), data.part(np.sort(order[:n_held]))


def _fit(data, rank, options, rng, held_out=None, init=None):
    """One of the solvers, and its result in the units of the values."""
    entries = arranged(  # on the CPU: counting is no work for a GPU
        data.rows, data.columns, data.values, data.weights, data.shape,
        *moments(data.values, data.weights, options.fit_bias),
    )  # fmt: skip
    watch = Watch(options.callback, _scaled(held_out, entries))
    start = None if init is None else _start(init, rank, entries, rng)
    posterior, model, converged, history = _solve(entries, rank, options, rng, watch, start)
    model, root = watch.best or model, entries.scale**0.5
    return CompletionResult(
        n_iter=len(history),
        converged=converged,
        history=np.array(history),
        left=model.rows.values * root,
        right=model.columns.values * root,
        row_bias=model.rows.bias * entries.scale,
        column_bias=model.columns.bias * entries.scale,
        mean=entries.mean,
        validation_history=np.array(watch.errors) * entries.scale,
        _scale=entries.scale,
        _posterior=posterior,
    )


def _solve(entries, rank, options, rng, watch, start):
    """Draws, if there are some, the model, whether it converged, and the history."""
    if options.solver == "gibbs":
        posterior = sample(
            entries, rank, rng, n_sweeps=options.max_iter, fit_bias=options.fit_bias,
            callback=options.callback, init=start, **({} if start is None else {"burn_in": 0}),
        )  # fmt: skip
        return posterior, posterior.last, True, posterior.history
    common = {
        "exponent": options.ridge_exponent, "fit_bias": options.fit_bias,
        "max_iter": options.max_iter, "init": start,
    }  # fmt: skip
    if options.solver == "als" and options.loss == "squared":
        return None, *alternate(
            entries, rank, rng, ridge=max(options.alpha, _LEAST_RIDGE), tol=options.tol,
            nonnegative=options.nonnegative, watch=watch, executor=options.executor,
            device=options.device, **common,
        )  # fmt: skip
    common |= {"ridge": options.alpha, "tol": options.tol, "callback": options.callback}
    with np.errstate(over="ignore", invalid="ignore"):
        if options.loss == "squared":
            found = recover(entries, rank, rng, **common)
        else:
            found = fit_robust(
                entries, rank, rng, loss=options.loss, nonnegative=options.nonnegative,
                exact_data=options.solver == "gauss_newton", **common,
            )  # fmt: skip
        bounded = found[0].rms() <= _LARGEST
    if not bounded:  # entries do not determine a matrix: of many, take about the least
        common = common | {"ridge": _SLIGHT_RIDGE, "tol": _SLIGHT_RIDGE, "init": None}
        del common["callback"]
        return None, *alternate(entries, rank, rng, watch=watch, **common)
    model, _, converged, history = found
    return None, model, converged, history


def _scaled(held_out, entries):
    if held_out is None:
        return None
    values = (held_out.values - entries.mean) / entries.scale
    return held_out.rows, held_out.columns, values, held_out.weights


def _check_init(init, rank, shape, fit_bias):
    """Refuse a result that cannot be gone on from."""
    if init is None:
        return
    if not isinstance(init, CompletionResult):
        raise ValueError(f"init={init!r} is no CompletionResult")
    if rank == "auto":
        raise ValueError("init has a rank: give a number for rank='auto'")
    (m, k), n = init.left.shape, len(init.right)
    if k > rank or m > shape[0] or n > shape[1]:
        raise ValueError(f"init has shape {m, n} and rank {k}, more than {shape} and {rank}")
    if not fit_bias and (init.mean or init.row_bias.any() or init.column_bias.any()):
        raise ValueError("init has biases, which fit_bias=False does not allow")


def _start(init, rank, entries, rng):
    """Model to go on from, for entries whose mean and spread may be others."""
    k = init.left.shape[1]
    model = model_of(init, entries.scale, rank, entries.shape)
    model.columns.bias += (init.mean - entries.mean) / entries.scale
    if k < rank:  # zeros in both factors would stay
        more = spectral_start(left_over(entries, model), rank - k, rng)
        model.rows.values[:, k:] = more.rows.values
        model.columns.values[:, k:] = more.columns.values
    return model
