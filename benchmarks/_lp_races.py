"""Solvers of lp regression in turns, how good their solutions are, and the rows of the table."""

import functools
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lowrank_la.linear_model import lp_regression

from ._harness import Bench, Row, SkipSection, Timing, compare
from ._lp_contests import OURS, TWO_THREADS, few
from ._lp_peers import PACKAGES, PEERS, TOL
from ._two_threads import NOTE, raced, tell


class Found(NamedTuple):
    """Coefficients, and what is proved of them: objective less optimum, at most."""

    x: np.ndarray
    gap: float | None = None


class Score(NamedTuple):
    """Relative excess of the objective over the least one found, and the relative gap proved."""

    excess: float | None  # None: no solution
    gap: float | None


def ours(problem):
    """Solve on as many threads as the process has."""
    result = lp_regression(
        problem.A, problem.b, problem.p, quantile=problem.quantile, tol=TOL, n_jobs=None, rng=0
    )
    return Found(result.x, float(np.sum(result.duality_gap)))


def attempt(solve, problem, least):
    """Return what a peer finds, or nothing where it fails."""
    try:
        return Found(solve(problem, least))
    except (np.linalg.LinAlgError, ValueError):
        return Found(np.full(problem.A.shape[1], np.nan))


def calls_of(contest, problem):
    """Return who solves the problem, by name; the peers are told the least objective."""
    ours(few(contest))  # compiles
    least = problem.objective(ours(problem).x)
    calls = {OURS: functools.partial(ours, problem)}
    for name in contest.peers:
        calls[name] = functools.partial(attempt, PEERS[name], problem, least)
    return calls


def measured(contest, bench):
    """Return the title of a contest, and timings with scores as results."""
    problem = contest.problem(bench)
    calls = calls_of(contest, problem)
    for call in list(calls.values())[1:] if problem.A.size < 10**6 else ():
        call()  # peers import, and compile
    np.random.seed(0)  # pinball-qr draws from there  # noqa: NPY002
    timings = compare(calls, rounds=contest.rounds)
    values = {name: problem.objective(timing.result.x) for name, timing in timings.items()}
    least = np.nanmin(list(values.values()))
    for name, timing in timings.items():
        gap, excess = timing.result.gap, values[name] / least - 1
        timing.result = Score(
            None if np.isnan(excess) else excess, None if gap is None else gap / values[name]
        )
    return contest.name(problem), timings


def contest_rows(bench, contests):
    """Compare all on one thread; bars are of wall time on two."""
    need_packages(bench, contests)
    for contest in contests:
        title, timings = measured(contest, bench)
        yield from rows_of(bench, contest._replace(bars={}), title, timings)


def need_packages(bench, contests):
    peers = " ".join(name for contest in contests for name in contest.peers)
    for package in PACKAGES:
        if package in peers:
            bench.peer(package)


def rows_of(bench, contest, title, timings, clock="cpu", setting=""):
    """Yield a row for each peer."""
    mine = timings[OURS].result
    good = mine.gap <= TOL and mine.excess <= TOL
    for peer in contest.peers:
        theirs = timings[peer].result
        parts = [setting, f"duality gap proved {mine.gap:.1e}"]
        if theirs.excess is None:
            parts.append("the peer FAILS: a singular matrix")
        elif theirs.excess > 2 * TOL:
            parts.append(f"the peer stays {theirs.excess:.0e} above")
        yield Row.of(
            title, OURS, peer, timings, clock=clock, measure="relative excess",
            quality=mine.excess, peer_quality=theirs.excess, valid=good,
            bar=bench.bar(contest.bars.get(peer)), note="; ".join(filter(None, parts)),
        )  # fmt: skip


def race(index, quick, data):
    """Measure one of the contests of two threads in this process, and print it."""
    title, timings = measured(TWO_THREADS[index], Bench(quick, Path(data)))
    tell(timings, title)


def two_threads_rows(bench):
    """Compare on the wall clock."""
    need_packages(bench, TWO_THREADS)
    if (os.cpu_count() or 1) < 2:
        raise SkipSection("one core")
    for index, contest in enumerate(TWO_THREADS[: 1 if bench.quick else None]):
        timings, title = raced("_lp_races", index, bench.quick, str(bench.data))
        timings = {name: with_score(timing) for name, timing in timings.items()}
        yield from rows_of(bench, contest, title, timings, "wall", NOTE)


def with_score(timing):
    return Timing(timing.cpus, timing.walls, timing.peak_mb, Score(*timing.result))
