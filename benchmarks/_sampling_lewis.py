"""Lewis weights: ours against the fixed-point iteration that users write, at equal accuracy."""

import functools
from typing import NamedTuple

import numpy as np

from lowrank_la.sampling import lewis_weights

from ._harness import Row, compare
from ._sampling_problems import leverage_matrix
from ._two_threads import NOTE, raced, tell

TOL = 1e-3  # largest relative error
_START, _REFERENCE = 1e-8, 1e-10  # relative changes: of a start, of what is taken for right
_ENOUGH = 300  # iterations
OURS, LOOP = "lewis_weights", "numpy loop"


def step(A, p, w):
    """Iterate once: Cohen and Peng's map, below p = 4; its geometric mean with w from there."""
    forms = np.einsum("ij,ij->i", A @ np.linalg.inv((A * w[:, None] ** (1 - 2 / p)).T @ A), A)
    return forms ** (p / 2) if p < 4 else np.sqrt(w * forms * w ** (1 - 2 / p))


def loop(A, p, n_iter):
    """Iterate as often as is known to be needed."""
    w = np.full(len(A), A.shape[1] / len(A))
    for _ in range(n_iter):
        w = step(A, p, w)
    return w


def error(w, right):
    return float(np.max(abs(w / right - 1)))


def right_weights(A, p):
    """Weights to more digits than anybody is asked for: a start of ours, then the loop."""
    w = lewis_weights(A, p, tol=_START).weights
    for _ in range(_ENOUGH):
        w, last = step(A, p, w), w
        if error(last, w) <= _REFERENCE:
            return w
    raise RuntimeError(f"the loop for p = {p:g} does not converge")


def iterations(A, p, right):
    """How many the loop needs to be within TOL of the right weights."""
    w = np.full(len(A), A.shape[1] / len(A))
    for n_iter in range(1, _ENOUGH):
        w = step(A, p, w)
        if error(w, right) <= TOL:
            return n_iter
    raise RuntimeError(f"the loop for p = {p:g} does not converge")


class Contest(NamedTuple):
    """Powers, and a size."""

    n: int
    d: int
    p: float
    bar: float | None = None


CONTESTS = (
    Contest(10**6, 50, 1.0, 4.0),
    *(Contest(10**5, 50, p) for p in (0.5, 1.5, 3.0, 6.0)),
)


def measured(contest, quick, rounds=3):
    """Return the title, what to say of iterations, and timings with errors as results."""
    n, d, p, _ = contest
    lewis_weights(leverage_matrix(2000, d), p)  # compiles
    A = leverage_matrix(min(n, 10_000), min(d, 20)) if quick else leverage_matrix(n, d)
    right = right_weights(A, p)
    n_iter = iterations(A, p, right)
    calls = {
        OURS: lambda: lewis_weights(A, p, tol=TOL),
        LOOP: functools.partial(loop, A, p, n_iter),
    }
    timings = compare(calls, rounds=rounds)
    told = f"{timings[OURS].result.n_iter} iterations of ours, {n_iter} of the loop, which is told"
    timings[OURS].result = timings[OURS].result.weights
    for timing in timings.values():
        timing.result = error(timing.result, right)
    return "leverage {}x{}, p {:g}".format(*A.shape, p), told, timings


def row_of(bench, contest, title, told, timings, clock="cpu", setting=""):
    mine = timings[OURS].result
    return Row.of(
        title, OURS, LOOP, timings, clock=clock, measure="largest relative error", quality=mine,
        peer_quality=timings[LOOP].result, valid=mine <= TOL, bar=bench.bar(contest.bar),
        note="; ".join(filter(None, [setting, f"to {TOL:g}: {told}"])),
    )  # fmt: skip


def contest_rows(bench):
    for contest in CONTESTS:
        yield row_of(bench, contest, *measured(contest, bench.quick))


def race(quick):
    """Measure the first contest in this process, and print it."""
    title, told, timings = measured(CONTESTS[0], quick)
    tell(timings, [title, told])


def two_threads_rows(bench):
    timings, told = raced("_sampling_lewis", bench.quick)
    contest = CONTESTS[0]._replace(bar=None)
    yield row_of(bench, contest, *told, timings, "wall", NOTE)


SECTIONS = {
    "Lewis weights": contest_rows,
    "Lewis weights, two threads (wall time)": two_threads_rows,
}
