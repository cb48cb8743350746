"""Regression on pictures, and nuclear norms: what others find of the same samples."""

import functools
import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.sensing import LowRankRegressor, scaled_gd

from . import _sensing_peers as peers
from . import _sensing_problems as problems
from ._harness import Row, compare

BAR = 3.0  # Ridge's error over ours
DEFAULT, KNOWN, STOPPED = (
    "LowRankRegressor",
    "LowRankRegressor, rank=1",
    "LowRankRegressor, stopped",
)
RANK_KNOWN = "TensorLy CPRegressor, rank 1"


def ours(X, y, **options):
    return LowRankRegressor(random_state=0, **options).fit(X, y).coef_


OURS = {
    DEFAULT: ours,
    KNOWN: functools.partial(ours, rank=1),
    STOPPED: functools.partial(ours, early_stopping=True),
}


def picture_rows(bench):
    """Compare errors of the coefficient."""
    made = problems.image_regression(bench.quick)
    calls = {
        name: functools.partial(quiet, fit, made.A, made.y)
        for name, fit in {**OURS, **peers.installed(peers.REGRESSIONS)}.items()
    }
    timings = compare(calls, rounds=1)  # of seconds, with little that compiles
    side, title = made.matrix.shape[0], "picture {1}x{1}, {0} samples"
    errors = {
        name: problems.relative(timing.result, made.matrix) for name, timing in timings.items()
    }
    for mine in OURS:
        for peer in timings:
            if peer in OURS or (mine != DEFAULT and peer != RANK_KNOWN):
                continue
            demanded = mine == DEFAULT and peer.startswith("Ridge")
            yield Row.of(
                title.format(len(made.y), side), mine, peer, timings,
                clock="error" if demanded else "cpu",
                measure="relative error of the coefficient", quality=errors[mine],
                peer_quality=errors[peer], bar=bench.bar(BAR) if demanded else None,
                note=f"{timings[mine].cpu_s:.2g} s and {timings[peer].cpu_s:.2g} s",
            )  # fmt: skip


def quiet(fit, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit(X, y)


# --- the least nuclear norm, by conic solvers


def nuclear_rows(bench):
    """Compare with CVXPY on small problems: many measurements, few, and too large a rank."""
    bench.peer("cvxpy")
    n, r, n_draws = (10, 1, 1) if bench.quick else (16, 1, 3)
    for symmetric in True, False:
        for times in (4,) if bench.quick else (6, 4, 3):
            made = [small(n, r, times, symmetric, seed) for seed in range(n_draws)]
            for solver in peers.CVXPY_OPTIONS:
                theirs = solved(functools.partial(peers.nuclear_cvxpy, solver), made)
                for k in r, 5 * r:
                    mine = solved(functools.partial(factored, rank=k), made)
                    yield nuclear_row(n, r, k, times, symmetric, f"CVXPY {solver}", mine, theirs)


def small(n, r, times, symmetric, seed):
    m = times * n * r * (1 if symmetric else 2)
    A = problems.gaussian((n, n), m, seed, symmetric)
    M = problems.low_rank((n, n), r, 1, seed, symmetric)
    return problems.Sensing(A, A @ M.ravel(), M)


def factored(A, y, shape, symmetric, rank):
    return scaled_gd(A, y, rank, shape, symmetric=symmetric, rng=0).matrix


def solved(solver, made):
    """Return the medians of CPU seconds and errors."""
    found = []
    for problem in made:
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fewer measurements than unknowns; inaccurate
            X = solver(problem.A, problem.y, problem.matrix.shape, problem.symmetric)
        seconds = time.process_time() - start
        found.append([seconds, problems.relative(X, problem.matrix)])
    return np.median(found, axis=0)


def nuclear_row(n, r, k, times, symmetric, peer, mine, theirs):
    kind = "psd, m={}nr" if symmetric else "m={}(n1+n2)r"
    return Row(
        f"{n}x{n} r={r} {kind.format(times)} k={k}", "scaled_gd", peer, mine[0], theirs[0],
        measure="relative error of the matrix", quality=mine[1], peer_quality=theirs[1],
        note="medians of draws; ours with the default tol",
    )  # fmt: skip


SECTIONS = {
    "Regression on pictures": picture_rows,
    "Least nuclear norms, small problems": nuclear_rows,
}
