"""Coresets: how good least absolute deviations of few weighted rows are for all rows."""

import functools
import time
from typing import NamedTuple

import numpy as np

from lowrank_la.linear_model import lp_regression
from lowrank_la.sampling import RowSampler, sample_rows

from ._harness import Row, compare
from ._lp_problems import table
from ._sampling_problems import heavy
from ._tables import TABLES

DRAWS = 50
SIZES = 40, 160  # rows of a coreset, in columns
FULL = "lp_regression, all rows"
SAMPLERS = {
    "uniform": {"scores": "uniform"},
    "leverage": {"scores": "leverage"},
    "root leverage": {"scores": "root_leverage"},
    "Lewis": {"scores": "lewis"},
    "Lewis, leverage": {"scores": "lewis", "augment": "leverage"},
    "sensitivity": {"scores": "sensitivity"},
    "leverage, sensitivity": {"scores": "leverage+sensitivity"},
}
DEMANDS = {  # data, sampler, size: the median and the worst excess allowed
    ("heavy", "Lewis", 40): (1e-3, 1e-2),
    ("flights", "Lewis", 160): (5e-3, 1e-2),
}


class Excesses(NamedTuple):
    """Of the full objective over the least one, relative, of all draws; and CPU seconds of one."""

    values: list
    cpu_s: float


def fit(A, b, weights=None):
    return lp_regression(A, b, 1.0, sample_weight=weights, rng=0).x


def objective(A, b, x):
    return float(np.sum(abs(b - A @ x)))


def timed(call):
    """Return what a call returns, and its CPU seconds."""
    start = time.process_time()
    return call(), time.process_time() - start


def drawn(A, b, m, scores, draws, least):
    """Draw coresets as the sampler does, and fit on them."""

    def one(seed):
        rows, weights = sample_rows(scores, m, rng=seed)
        return fit(A[rows], b[rows], weights)

    fitted, seconds = timed(lambda: [one(seed) for seed in range(draws)])
    return Excesses([objective(A, b, x) / least - 1 for x in fitted], seconds / draws)


def coreset_rows(bench, name, make):
    """Compare samplers, and the time of all rows."""
    A, b = make(bench)
    few = A[:500], b[:500]
    fit(*few, np.ones(500)), sampler_of(SAMPLERS["Lewis"], 100).fit(*few)  # compile
    full = compare({FULL: lambda: fit(A, b)}, quick=True)[FULL]
    least, d, draws = objective(A, b, full.result), A.shape[1], 3 if bench.quick else DRAWS
    for sampler, options in SAMPLERS.items():
        fitted, scores_s = timed(lambda: sampler_of(options, SIZES[0] * d).fit(A, b))  # noqa: B023
        for times in SIZES:
            found = drawn(A, b, times * d, fitted.scores_, draws, least)
            median, worst = float(np.median(found.values)), max(found.values)
            demanded = DEMANDS.get((name, sampler, times))
            good, allowed = None, ""
            if demanded:
                good = bench.judge(median <= demanded[0] and worst <= demanded[1])
                allowed = "; at most {:g} and {:g} allowed".format(*demanded)
            yield Row(
                "{} {}x{}, {} d rows".format(name, *A.shape, times), f"RowSampler, {sampler}",
                FULL, scores_s + found.cpu_s, full.cpu_s, measure="median relative excess",
                quality=median, peer_quality=0.0, valid=good,
                note=f"worst of {draws} draws {worst:.1e}{allowed}; of the seconds, "
                f"{found.cpu_s:.2g} draw and fit",
            )  # fmt: skip


def sampler_of(options, m):
    return RowSampler(p=1.0, n_samples=m, fit_intercept=False, random_state=0, **options)


def _heavy(bench):
    return heavy(5000 if bench.quick else 10**5, 20)


def _real(name):
    return lambda bench: table(bench, name, 5000 if bench.quick else None)


SECTIONS = {
    f"Coresets of {name}": functools.partial(coreset_rows, name=name, make=make)
    for name, make in {"heavy": _heavy, **{name: _real(name) for name in TABLES}}.items()
}
