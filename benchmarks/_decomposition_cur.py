"""Rows and columns, as many as are asked for: ours against SciPy, scikit-matter and scripts."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from . import _decomposition_problems as problems
from ._decomposition_peers import (
    CPQR,
    CUR_,
    DEIM,
    ESTIMATOR,
    FULL,
    LEVERAGE,
    LUPP,
    LUPP_FULL,
    MATTER,
    OURS,
    PEERS,
    QR2,
    SCIPY,
    SKETCH_CPQR,
    SVD,
    UNIFORM,
    Errors,
    errors,
)
from ._harness import Row
from ._lstsq_races import in_turns
from ._two_threads import NOTE, raced, tell

NEAR = 1.1  # of the error of pivots of QR in the sketch, what is allowed
_DRAWS = 5  # seeds whose errors are looked at
_PAIRS = {ESTIMATOR: LUPP, CPQR: SKETCH_CPQR, FULL: LUPP_FULL}  # besides: `cur` and all


class Contest(NamedTuple):
    """A problem, and who takes part; `bars` are the ratios demanded of `cur`, by peer."""

    title: str
    make: Callable  # of whether it is to be small
    k: int
    rounds: int
    peers: tuple
    bars: dict = {}

    def pairs(self):
        for peer in self.peers:
            if peer != LUPP_FULL:
                yield CUR_, peer
        yield from ((ours, peer) for ours, peer in _PAIRS.items() if peer in self.peers)
        if SVD in self.peers and LUPP_FULL in self.peers:
            yield FULL, SVD


_USUAL = (LUPP, SKETCH_CPQR, LUPP_FULL, SVD, SCIPY, DEIM, LEVERAGE, UNIFORM)
POLY = Contest("poly", problems.poly, 100, 5, (*_USUAL, QR2), {SCIPY: 80, LUPP: 2.5})
KERNEL = Contest("kernel", problems.kernel, 200, 3, _USUAL, {SCIPY: 80, LUPP: 2.5})
PHOTO = Contest("photo", problems.photo, 60, 15, (*_USUAL, QR2), {SCIPY: 4, LUPP: 2})
CONTESTS = (POLY, KERNEL, PHOTO)


class Median(NamedTuple):
    """Medians of errors over some seeds, in units of the error of `randomized_svd`."""

    errors: Errors
    n_seeds: int


def median(A, draws, unit):
    """Return the medians of the errors of some draws."""
    looked_at = draws[:_DRAWS]
    found = [errors(A, chosen) for chosen in looked_at]
    parts = (
        None if None in values else float(np.median(values)) / unit
        for values in zip(*found, strict=True)
    )
    return Median(Errors(*parts), len(looked_at))


def measured(contest, quick):
    """Return the title, and timings with medians of errors as results: a seed for each turn."""
    A, k = contest.make(quick), min(contest.k, 30) if quick else contest.k
    names = [name for name in OURS if name in (CUR_, FULL) or _PAIRS[name] in contest.peers]
    calls, draws = {}, {name: [] for name in (*names, *contest.peers)}
    for name, found in draws.items():
        calls[name] = functools.partial(_draw, (OURS | PEERS)[name], A, k, found)
    for name in names:
        OURS[name](A[: 4 * k], 2, 0)  # compiles
        OURS[name](A, k, 0)
    timings = in_turns(calls, {*names, *contest.bars}, 2 if quick else contest.rounds)
    unit = errors(A, PEERS[SVD](A, k, 0)).optimal
    for name, timing in timings.items():
        timing.result = median(A, draws[name], unit)
    return "{} {}x{} k={}".format(contest.title, *A.shape, k), timings


def _draw(call, A, k, found):
    found.append(call(A, k, len(found)))


def rows_of(bench, contest, title, timings, clock="cpu", setting=""):
    """Yield a row for each pair; with a peer that has only columns, the errors are of these."""
    best = timings[SKETCH_CPQR].result.errors.optimal if SKETCH_CPQR in timings else None
    for ours, peer in contest.pairs():
        mine, theirs = timings[ours].result, timings[peer].result
        half = theirs.errors.optimal is None
        row = Row.of(
            title, ours, peer, timings, clock=clock,
            measure="error of the columns" if half else "error",
            quality=mine.errors.columns if half else mine.errors.optimal,
            peer_quality=theirs.errors.columns if half else theirs.errors.optimal,
            bar=bench.bar(contest.bars.get(peer)) if ours == CUR_ else None,
        )  # fmt: skip
        if best and peer in (*contest.bars, SKETCH_CPQR):
            row.valid = bench.judge(mine.errors.optimal <= NEAR * best)
        row.note = "; ".join(filter(None, [setting, *_remarks(peer, mine, theirs, best)]))
        yield row


def _remarks(peer, mine, theirs, best):
    """Say what errors are of, and what a row compares."""
    yield "in units of that of randomized_svd"
    if theirs.errors.optimal is None:
        yield f"the peer has only columns; with our rows {mine.errors.optimal:.3g}"
    if theirs.errors.cross is not None:
        yield f"cross cores {mine.errors.cross:.3g} and {theirs.errors.cross:.3g}"
    if peer == SVD:
        yield "the peer chooses no rows or columns, and computes its error"
    if best:
        yield f"{mine.errors.optimal / best:.2f} of that by pivoted QR of a sketch"
    seeds = mine.n_seeds, theirs.n_seeds
    yield "medians of {} and {} draws".format(*seeds) if max(seeds) > 1 else "one draw"


def contest_rows(bench, contest):
    yield from rows_of(bench, contest, *measured(contest, bench.quick))


def matter_rows(bench):
    """Compare with scikit-matter, which takes long for larger matrices."""
    bench.peer("skmatter")
    for contest in (POLY, PHOTO):
        yield from contest_rows(bench, contest._replace(peers=(MATTER,), rounds=2, bars={}))


def race(quick):
    """Measure a contest in this process, and print it."""
    contest = POLY._replace(peers=(LUPP, LUPP_FULL, SCIPY, SVD), rounds=5)
    title, timings = measured(contest, quick)
    tell(timings, title)


def two_threads_rows(bench):
    """Compare on the wall clock."""
    timings, title = raced("_decomposition_cur", bench.quick)
    for timing in timings.values():
        found, n_seeds = timing.result
        timing.result = Median(Errors(*found), n_seeds)
    contest = POLY._replace(peers=(LUPP, LUPP_FULL, SCIPY, SVD), bars={})
    yield from rows_of(bench, contest, title, timings, "wall", NOTE)


SECTIONS = {
    **{
        f"CUR of {contest.title}": functools.partial(contest_rows, contest=contest)
        for contest in CONTESTS
    },
    "CUR, scikit-matter": matter_rows,
    "CUR, two threads (wall time)": two_threads_rows,
}
