"""Entropic optimal transport: ours against RegOT, MDOT-TNT, POT, and POT's exact solver.

Every solver goes on until the L1 distances of the plan's masses from those given add up
to at most 1e-8. This is evaluated here, from the dense plan that it returns, whose making
is part of the time. The exact solver knows no regularisation: its rows tell where it
remains the better choice.
"""

import functools
import math

from lowrank_la.transport import solve

from . import _transport_awkward, _transport_large, _transport_published
from ._first_use import first_use_rows
from ._harness import Row, compare
from ._transport_contests import CONTESTS
from ._transport_peers import MAX_ITER, PACKAGES, SOLVERS, prepared

PEERS = ("regot", "mdot-tnt", "torch", "pot")

OURS = "solve"
ERROR = 1e-8  # L1, of the masses of rows and columns together
SLOW, SLOW_QUICK = 5.0, 0.3  # seconds: what takes more runs once


def contest_rows(bench, family):
    """Compare all solvers on the problems of one family."""
    for package in PACKAGES.values():
        bench.peer(package)
    for contest in CONTESTS[family][: 1 if bench.quick else None]:
        problem = contest.make(bench)
        max_iter = 1000 if bench.quick else MAX_ITER
        calls = contestants(problem, contest.tolerances, max_iter)
        timings = in_turns(calls, bench.quick)
        errors = {name: problem.error(timing.result) for name, timing in timings.items()}
        for peer in list(timings)[1:]:
            reached = errors[peer] <= ERROR
            yield Row.of(
                contest.title(problem), OURS, peer, timings, measure="L1 error of the masses",
                quality=errors[OURS], peer_quality=errors[peer], valid=errors[OURS] <= ERROR,
                note=remark(contest, peer, timings[peer], reached),
                bar=bench.bar(contest.bars.get(peer) if reached else None),
            )  # fmt: skip


def contestants(problem, tolerances, max_iter=MAX_ITER):
    """Return what solves the problem, ours first."""
    calls = {OURS: functools.partial(ours, problem)}
    for peer, tol in tolerances.items():
        if not isinstance(tol, str):
            calls[peer] = functools.partial(SOLVERS[peer], prepared(peer, problem), tol, max_iter)
    return calls


def ours(problem):
    """Return our plan, from one thread."""
    return solve(*problem[:3], reg=problem.reg, n_cpu=1).plan


def in_turns(calls, quick):
    """Time contestants in turns, after a first call of each; the slow ones have only that."""
    timings = {}
    for name, call in calls.items():
        timings |= compare({name: call}, rounds=1)
    limit = SLOW_QUICK if quick else SLOW
    fast = {name: calls[name] for name in calls if name == OURS or timings[name].cpu_s < limit}
    slowest = max(timings[name].cpu_s for name in fast if name != OURS)
    rounds = 3 if quick else min(25, max(5, math.ceil(2 / slowest)))
    return timings | compare(fast, rounds=rounds)


def remark(contest, peer, timing, reached):
    """Say how the peer was called, and what became of it; after the last one, who is missing."""
    tol = contest.tolerances[peer]
    parts = ["exact, without regularisation"] if tol is None else [f"its tolerance {tol:g}"]
    if not reached:
        parts.append("1e-8 NOT REACHED")
    if len(timing.cpus) == 1:
        parts.append("one run")
    if tol is None:
        left_out = {name: why for name, why in contest.tolerances.items() if isinstance(why, str)}
        parts += [f"not run: {name}, {why}" for name, why in left_out.items()]
    return "; ".join(parts)


BASE = "import numba, sklearn, numpy as np; M = np.random.default_rng(0).random((500, 500))"
FIRST = "from lowrank_la.transport import solve; solve(M, reg=1e-3)"

SECTIONS = {
    "Random costs, equal masses": functools.partial(contest_rows, family="random"),
    "Images": functools.partial(contest_rows, family="images"),
    "Densities on a line": functools.partial(contest_rows, family="lines"),
    "Clouds of points": functools.partial(contest_rows, family="clouds"),
    **_transport_large.SECTIONS,
    **_transport_published.SECTIONS,
    **_transport_awkward.SECTIONS,
    "First use (CPU seconds, against what is allowed)": functools.partial(
        first_use_rows, base=BASE, call=FIRST, name="solve"
    ),
}
