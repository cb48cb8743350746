"""Dense problems: solvers in turns, how wrong their solutions are, and the rows of the table."""

import functools
import json
from typing import NamedTuple

import threadpoolctl

from ._harness import Row, Timing, compare, fresh, peak_beside
from ._lstsq_contests import GELSY, LSTSQ, MAIN, NUMPY, SKETCH

STABLE = 2e-16  # the backward error that is allowed
SHARE = 0.05  # of A, the memory that is allowed beside it
SLOW = 4.0  # seconds: without a bar, who takes longer has one turn


class Scores(NamedTuple):
    """How wrong a solution is, and how often the rows were read for it."""

    forward: float
    backward: float
    n_passes: int | None


def in_turns(calls, lasting, rounds):
    """Time contestants in turns; of the slow ones, only those that are to last."""
    timings = compare(calls, rounds=1)
    staying = {
        name: call for name, call in calls.items() if name in lasting or timings[name].cpu_s < SLOW
    }
    for name, more in compare(staying, rounds=rounds - 1).items():
        timings[name].cpus += more.cpus
        timings[name].walls += more.walls
    return timings


def measured(contest, quick, rounds=3):
    """Return the problem and timings of a contest, with scores as results."""
    contestants, few = contest.contestants(), contest.few()
    for name in contest.ours:
        contestants[name](few.A, few.b)  # compiles
    problem = contest.problem(quick)
    calls = {
        name: functools.partial(call, problem.A, problem.b) for name, call in contestants.items()
    }
    lasting = {*contest.ours, *(name for pair in contest.bars for name in pair)}
    timings = in_turns(calls, lasting, rounds)
    timings[LSTSQ].peak_mb = peak_beside(calls[LSTSQ])  # too little to be seen in turns
    for timing in timings.values():
        x, n_passes = timing.result
        timing.result = Scores(problem.forward_error(x), problem.backward_error(x), n_passes)
    return problem, timings


def contest_rows(bench, contest):
    """Compare all on one thread."""
    problem, timings = measured(contest, bench.quick)
    title, size = title_of(contest, problem.A.shape), problem.A.nbytes / 2**20
    del problem
    yield from rows_of(bench, contest, title, timings)
    mine = timings[LSTSQ]
    if mine.peak_mb is not None:
        held = (f"{name} {timing.peak_mb / size:.2f}" for name, timing in timings.items())
        yield Row.memory(
            title, LSTSQ, f"{SHARE:.0%} of A", (mine.cpu_s, mine.peak_mb), (None, SHARE * size),
            bar=bench.bar(1.0), note=f"most memory beside A, in units of A: {', '.join(held)}",
        )  # fmt: skip


def title_of(contest, shape):
    n, d = shape
    return f"{contest.title} {n}x{d}"


def rows_of(bench, contest, title, timings, clock="cpu", setting=""):
    """Yield a row for each pair of a contest; `setting` begins its note."""
    trusted = timings[GELSY if GELSY in timings else NUMPY].result
    for ours, peer in contest.pairs():
        mine, theirs = timings[ours].result, timings[peer].result
        right = mine.backward <= STABLE and mine.forward <= contest.slack * trusted.forward
        row = Row.of(
            title, ours, peer, timings, clock=clock, measure="forward error",
            quality=mine.forward, peer_quality=theirs.forward,
            valid=None if ours == SKETCH else bench.judge(right),
            bar=bench.bar(contest.bars.get((ours, peer))),
        )  # fmt: skip
        parts = [setting, f"backward errors {mine.backward:.1e} and {theirs.backward:.1e}"]
        parts.append(f"passes {mine.n_passes}")
        if row.bar and row.bar < 3:
            parts.append(f"{1 / row.ratio:.2f} of its time, {1 / row.bar:.2g} allowed")
        if len(timings[peer].cpus) < len(timings[ours].cpus):
            parts.append("the peer had one turn")
        row.note = "; ".join(filter(None, parts))
        yield row


def race(index, quick, rounds):
    """Measure one of the main contests, and print all; run by a child in another setting."""
    blas_threads, kernels = zip(
        *(
            (pool["num_threads"], pool.get("architecture", pool["internal_api"]))
            for pool in threadpoolctl.threadpool_info()
            if pool["user_api"] == "blas"
        ),
        strict=True,
    )
    problem, timings = measured(MAIN[index].short(), quick, rounds)
    lists = {
        name: [timing.cpus, timing.walls, timing.peak_mb, timing.result]
        for name, timing in timings.items()
    }
    print(json.dumps([problem.A.shape, max(blas_threads), sorted(set(kernels)), lists]))


def setting_rows(bench, threads=1, variables=()):
    """Compare some in fresh processes with so many threads, or other variables.

    Of wall times of more threads than one, BLAS having as many, the minimum.
    """
    for index, contest in enumerate(MAIN):
        code = f"from benchmarks._lstsq_races import race; race({index}, {bench.quick}, 2)"
        _, (shape, *setting, lists) = fresh(code, threads, variables=variables)
        timings = {
            name: Timing(cpus, walls if threads == 1 else [min(walls)], peak, Scores(*scores))
            for name, (cpus, walls, peak, scores) in lists.items()
        }
        said = "BLAS with {} threads, kernels {}".format(setting[0], ", ".join(setting[1]))
        clock = "cpu" if threads == 1 else "wall"
        contest = contest.short()
        yield from rows_of(bench, contest, title_of(contest, shape), timings, clock, said)
