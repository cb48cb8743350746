"""k-medoids of problems whose optimum is proven."""

import numpy as np

from lowrank_la.cluster import fasterpam

from ._harness import Row, compare
from ._kmedoids_problems import by_seed, pmedian

EXACT = 1e-9  # relative
SEEDS = 10


def instances(bench):
    """Return a name for the OR-Library instances, and they themselves."""
    numbers = range(1, 4 if bench.quick else 11)
    return f"pmed1-{numbers[-1]}", [pmedian(bench, number) for number in numbers]


def random_starts(problems, count):
    """Return initial medoids of each problem."""
    return [
        [np.random.default_rng(seed).choice(len(D), k, replace=False) for seed in range(count)]
        for D, k, _ in problems
    ]


def losses_from(solve, problems, starts):
    """Return the loss of each problem from each of its starts."""
    return np.array([
        [solve(D, start.copy(), n_cpu=1).loss for start in some]
        for (D, _, _), some in zip(problems, starts, strict=True)
    ])  # fmt: skip


def same_start_rows(bench):
    """Measure the gap to proven optima of the same starts; it tells about the method."""
    rust = bench.peer("kmedoids").fasterpam
    name, problems = instances(bench)
    starts = random_starts(problems, 10)
    ours, peer = "fasterpam, 10 starts", "kmedoids.fasterpam, 10 starts"
    timings = compare(
        {
            ours: lambda: losses_from(fasterpam, problems, starts),
            peer: lambda: losses_from(rust, problems, starts),
        },
        bench.quick,
    )
    optima = np.array([optimum for _, _, optimum in problems])[:, None]
    gaps = [100 * (timings[who].result / optima - 1) for who in (ours, peer)]
    for which, reduce in (("mean start", np.mean), ("best start", np.min)):
        mine, theirs = (float(reduce(gap, axis=1).mean()) for gap in gaps)
        yield Row.of(
            f"{name}, {which}", ours, peer, timings,
            measure="mean gap to the optimum in %", quality=mine, peer_quality=theirs,
        )  # fmt: skip


def solved_rows(bench):
    """Reach all optima, with every seed, in the time of random starts that do not."""
    rust = bench.peer("kmedoids").fasterpam
    name, problems = instances(bench)
    optima = np.array([optimum for _, _, optimum in problems])
    starts = random_starts(problems, 50)

    def perturbed(seed):
        return [
            fasterpam(D, k, n_perturbations=100, random_state=seed, n_cpu=1).loss
            for D, k, _ in problems
        ]

    perturbed(0)  # compiles
    ours, peer = "fasterpam, 100 perturbations", "kmedoids.fasterpam, 50 starts"
    timings = compare(
        {ours: by_seed(perturbed), peer: lambda: losses_from(rust, problems, starts)},
        rounds=2 if bench.quick else SEEDS,
    )
    gaps = np.array(timings[ours].result) / optima - 1  # (seeds, instances)
    theirs = timings[peer].result / optima[:, None] - 1  # (instances, starts)
    solved, tens, fifties = (
        np.count_nonzero(gap <= EXACT, axis=-1)
        for gap in (gaps, theirs[:, :10].min(axis=1), theirs.min(axis=1))
    )
    sound = gaps.min() >= -EXACT and theirs.min() >= -EXACT
    yield Row.of(
        f"{name}, all optima", ours, peer, timings, measure="optima reached",
        quality=float(solved.mean()), peer_quality=float(fifties),
        valid=bool(sound and (solved == len(optima)).all()), bar=bench.bar(1.0),
        note=f"all {len(optima)} by {np.count_nonzero(solved == len(optima))} of {len(solved)} "
        f"seeds; theirs {fifties} by 50 starts, {tens} by 10"
        + ("" if sound else "; BELOW an optimum"),
    )  # fmt: skip


SECTIONS = {
    "OR-Library p-median, against proven optima": same_start_rows,
    "OR-Library p-median, perturbations": solved_rows,
}
