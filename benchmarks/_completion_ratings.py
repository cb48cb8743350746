"""Ratings: what is held out is predicted by ours, and by packages that people use for that."""

import functools
from typing import NamedTuple

import numpy as np

from lowrank_la.completion import MatrixCompletionRegressor, complete

from . import _completion_peers as peers
from . import _completion_problems as problems
from ._harness import Row, compare

_RANK = 10


def ours(ratings, **options):
    """Return a function that fits and predicts; the options are those of `complete`."""

    def call():
        triples = ratings.rows, ratings.columns, ratings.values, ratings.shape, _RANK
        found = complete(*triples, rng=0, **options)
        return found.predict(ratings.test_rows, ratings.test_columns)

    return call


def regressor(ratings):
    X = np.column_stack([ratings.rows, ratings.columns])
    X_test = np.column_stack([ratings.test_rows, ratings.test_columns])
    model = MatrixCompletionRegressor(rank=_RANK, random_state=0)
    return lambda: model.fit(X, ratings.values).predict(X_test)


OURS, REGRESSOR, GIBBS, MYFM = "complete", "MatrixCompletionRegressor", "complete, gibbs", "myFM"
CMFREC = {  # the number is its ridge
    "cmfrec 15, Cholesky": peers.cmfrec,
    "cmfrec 15, CG": functools.partial(peers.cmfrec, use_cg=True),
    "cmfrec 12, biases 3": functools.partial(peers.cmfrec, lambda_=[3.0, 3.0, *[12.0] * 4]),
}
# those that are called tuned: the best of some tens of settings, by what is held out here
PLAIN = {
    OURS: ours,
    REGRESSOR: regressor,
    **CMFREC,
    "Cornac MF": peers.cornac_mf,
    "Cornac MF, tuned": functools.partial(
        peers.cornac_mf, learning_rate=0.01, lambda_reg=0.05, max_iter=40
    ),
    "Surprise SVD": peers.surprise_svd,
    "Surprise SVD, tuned": functools.partial(
        peers.surprise_svd, n_factors=50, n_epochs=30, lr_all=0.01, reg_all=0.08
    ),
    "numpy: biases only": peers.bias_only,
}
AVERAGED = {
    GIBBS: functools.partial(ours, solver="gibbs", max_iter=peers.SWEEPS),
    MYFM: peers.myfm,
}
BARS = dict.fromkeys(CMFREC, 3.0) | {MYFM: 5.0}


class Limits(NamedTuple):
    """Errors allowed of ours, of single fits and averaged ones."""

    plain: float
    averaged: float


SETS = {"3 splits": Limits(0.908, 0.892), "u1": Limits(0.923, 0.907)}


def sets_of(bench, title):
    """Return the ratings, the first of few users and films in a quick run."""
    size = 150 if bench.quick else None
    if title == "u1":
        return [problems.published(bench)]
    return [problems.held_out(bench, seed, size) for seed in range(1 if bench.quick else 3)]


def measured(contestants, sets, few, rounds):
    """Return timings over all sets, with an error for each as results: a set for each turn."""
    errors = {name: [] for name in contestants}
    calls = {}
    for name, prepare in contestants.items():
        prepare(few)()  # imports, compiles
        ready = [prepare(ratings) for ratings in sets]
        calls[name] = functools.partial(_turn, sets, ready, errors[name])
    timings = compare(calls, rounds=rounds * len(sets))
    for name, timing in timings.items():
        timing.result = np.reshape(errors[name], (rounds, len(sets))).mean(axis=0).tolist()
    return timings


def _turn(sets, ready, errors):
    place = len(errors) % len(sets)
    errors.append(sets[place].rmse(ready[place]()))


def rows_of(bench, title, timings, ours, limit):
    """Yield a row for each peer; ours is good enough by its error alone."""
    for peer in timings:
        if peer in (OURS, REGRESSOR, GIBBS):
            continue
        mine, theirs = (timings[name].result for name in (ours, peer))
        bar = BARS.get(peer) if ours != REGRESSOR and len(mine) > 1 else None
        yield Row.of(
            f"ML-100K, {title}", ours, peer, timings, measure="RMSE",
            quality=np.mean(mine), peer_quality=np.mean(theirs), bar=bench.bar(bar),
            valid=bench.judge(np.mean(mine) <= limit),
            note=f"at most {limit:g} allowed" + f"; ours of each {_list(mine)}" * (len(mine) > 1),
        )  # fmt: skip


def _list(errors):
    return ", ".join(f"{error:.4f}" for error in errors)


def plain_rows(bench):
    """Compare with default settings; peers with theirs, and with the best that were found."""
    few = problems.held_out(bench, 0, 100)
    contestants = peers.installed(PLAIN)
    for title, limits in list(SETS.items())[: 1 if bench.quick else None]:
        timings = measured(contestants, sets_of(bench, title), few, 1 if bench.quick else 3)
        yield from rows_of(bench, title, timings, OURS, limits.plain)
        few_timings = {name: timings[name] for name in timings if name in (REGRESSOR, *CMFREC)}
        yield from rows_of(bench, title, few_timings, REGRESSOR, limits.plain)


def averaged_rows(bench):
    """Compare averages over the draws of Gibbs samplers."""
    peers.needed(bench, "myfm")
    few = problems.held_out(bench, 0, 100)
    for title, limits in list(SETS.items())[: 1 if bench.quick else None]:
        timings = measured(AVERAGED, sets_of(bench, title), few, 1)
        yield from rows_of(bench, title, timings, GIBBS, limits.averaged)


SECTIONS = {"Ratings": plain_rows, "Ratings, averaged": averaged_rows}
