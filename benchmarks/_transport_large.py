"""Entropic transport of more points than a matrix of costs could hold; threads; half the digits."""

import json
import time

import numpy as np

from lowrank_la.transport import solve, solve_sample

from ._harness import Row, SkipSection, compare, fresh, fresh_peak, peak_mb
from ._transport_contests import clouds, mnist, random
from ._transport_problems import Problem
from ._transport_problems import clouds as cloud_points

ERROR, TOL = (
    1e-8,
    5e-9,
)  # L1, of the masses: what is required, and what leaves room for a sparse plan
FLOAT32_ERROR = 1e-6  # L1, of the masses of a plan that is rounded to float32


# --- two threads


def race(problem, rounds):
    """Time one thread and two in turns; run by a child that may use two."""
    M, a, b, reg = problem
    walls, cpus, plans = ([], []), ([], []), [None, None]
    for _ in range(rounds + 1):
        for k in (0, 1):
            wall, cpu = time.perf_counter(), time.process_time()
            plans[k] = solve(M, a, b, reg=reg, n_cpu=k + 1).plan
            cpus[k].append(time.process_time() - cpu)
            walls[k].append(time.perf_counter() - wall)
    same = np.array_equal(*plans)
    seconds = [min(times[1:]) for times in (*walls, *cpus)]  # the first compiles
    print(json.dumps([*seconds, same, *map(problem.error, plans), *M.shape]))


def thread_rows(bench):
    """Compare the wall times of two threads and one."""
    rounds = 3 if bench.quick else 5
    for name, make in (
        ("random, reg 1/1200", "random(bench, 2000, 1 / 1200)"),
        ("clouds, reg .01 median", "clouds(bench, 5000, 5000, 0.01)"),
    ):
        call = (
            "from benchmarks._harness import Bench\n"
            "from benchmarks._transport_large import clouds, race, random\n"
            f"bench = Bench({bench.quick}, None); race({make}, {rounds})"
        )
        _, (wall1, wall2, cpu1, cpu2, same, error1, error2, n, m) = fresh(call, threads=2)
        yield Row(
            f"{name}, {n}x{m}", "solve, 2 threads", "solve, 1 thread",
            cpu2, cpu1, wall2, wall1, clock="wall", measure="L1 error of the masses",
            quality=error2, peer_quality=error1, valid=same,
            note=f"{'same' if same else 'DIFFERENT'} bits; minimum of {rounds}; "
            f"CPU {cpu2:.3g} and {cpu1:.3g} s",
        )  # fmt: skip


# --- float32


def float32_rows(bench):
    """Compare float32 costs, which give a float32 plan, with float64 ones."""
    problems = {
        "random, reg 1/1200": random(bench, 1000, 1 / 1200),
        "mnist, squared L2, reg 1e-2": mnist(bench, "sqeuclidean", 1e-2),
        "clouds, reg .01 median": clouds(bench, 2000, 2000, 0.01),
    }
    ours, peer = "solve, float32", "solve, float64"
    for name, (M, a, b, reg) in problems.items():
        narrow = M.astype(np.float32)
        timings = compare(
            {
                ours: lambda: solve(narrow, a, b, reg=reg, n_cpu=1).plan,  # noqa: B023
                peer: lambda: solve(M, a, b, reg=reg, n_cpu=1).plan,  # noqa: B023
            },
            bench.quick,
        )
        error, peer_error = (problems[name].error(timings[who].result) for who in (ours, peer))
        kept = timings[ours].result.dtype == np.float32
        yield Row.of(
            f"{name}, n={len(a)}", ours, peer, timings, measure="L1 error of the masses",
            quality=error, peer_quality=peer_error, valid=kept and error <= FLOAT32_ERROR,
            note=f"at most {FLOAT32_ERROR:g} is required of a plan of float32",
        )  # fmt: skip


# --- no matrix

SHARE = 0.001  # of the median cost: with more, the plan is not sparse
PEAK = "peak memory of a fresh process, beyond imports"
IMPORTS = "import numba, scipy.sparse; from benchmarks._transport_large import sample"


def sample(n, share):
    """Solve between points, make the sparse plan, and print what each took; run by a child."""
    X, Y, a, b = cloud_points(n, n)
    reg = share * float(np.median(((X[:1000, None] - Y[:1000]) ** 2).sum(axis=-1)))
    solve_sample(X[:300], Y[:300], reg=reg, n_cpu=1)  # compiles
    start = time.process_time()
    result = solve_sample(X, Y, a, b, reg=reg, tol=TOL, n_cpu=1)
    seconds, solved = time.process_time() - start, peak_mb()
    plan = result.sparse_plan(1e-10)
    error = Problem(None, a, b, reg).error(plan)
    print(json.dumps([solved, peak_mb(), seconds, plan.nnz, error, result.n_iter]))


def sample_rows(bench):
    """Measure the memory of a fresh process beyond imports, beside that of a matrix of costs."""
    n = 3000 if bench.quick else 20_000
    _, imports = fresh_peak(IMPORTS)
    if imports is None:
        raise SkipSection("this system does not tell how much memory a process has held")
    _, (*peaks, seconds, entries, error, passes) = fresh(f"{IMPORTS}\nsample({n}, {SHARE})")
    for what, peak in zip(("solve_sample", "solve_sample, sparse plan"), peaks, strict=True):
        yield Row.memory(
            f"clouds {n}x{n}, reg {SHARE:g} median", what, "the matrix of costs",
            (seconds, peak - imports), (None, 8 * n * n / 2**20),
            measure="L1 error of the masses", quality=error, valid=error <= ERROR,
            note=f"{PEAK}; {seconds:.3g} s, {passes} passes, {entries} entries in the plan, "
            f"which take {12 * entries / 2**20:.0f} MB",
        )  # fmt: skip


SECTIONS = {
    "Two threads against one (wall time)": thread_rows,
    "Costs of float32": float32_rows,
    "No matrix": sample_rows,
}
