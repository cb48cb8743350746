"""Gross errors in many measurements: they are found, and the matrix is exact."""

import functools
from typing import NamedTuple

from lowrank_la.sensing import scaled_gd

from . import _sensing_problems as problems
from ._sensing_courses import Courses, compared_row, course, demanded_row, subgradients

TARGET, ALLOWED = 1e-8, 250  # relative error, iterations
OURS, SQUARED, HUBER = "scaled_gd, absolute", "scaled_gd, squared", "scaled_gd, huber"
DECAYS = 0.98, 0.985, 0.99
_MOST, _MOST_SUBGRADIENTS, _PATIENCE = 500, 2000, 400
ROBUST = functools.partial(scaled_gd, loss="absolute")


class Case(NamedTuple):
    """Share of wrong measurements, how many there are, and condition numbers."""

    share: float
    per_nr: int
    kappas: tuple


CASES = (
    Case(0.1, 10, (1, 10, 100, 1000)), Case(0.3, 10, (1, 10, 100, 1000)),
    Case(0.45, 20, (1, 10, 100)),
)  # fmt: skip


def size(bench):
    """Return n, true rank and number of draws."""
    return (20, 2, 2) if bench.quick else (50, 3, 10)


def title(bench, case, kappa, k):
    n, r, _ = size(bench)
    return f"{case.share:.0%} of {case.per_nr}nr, n={n} r={r} kappa={kappa} k={k}"


def made(bench, case, kappa, measured):
    n, r, _ = size(bench)
    return [
        problems.with_outliers(problems.sensing(n, r, kappa, A, seed), case.share, seed)
        for seed, A in enumerate(measured)
    ]


def outlier_rows(bench):
    """Yield ours against what is demanded; for well-conditioned matrices, against others, too."""
    n, r, n_draws = size(bench)
    for case in CASES:
        measured = [problems.gaussian((n, n), case.per_nr * n * r, seed) for seed in range(n_draws)]
        for kappa in case.kappas[::3] if bench.quick else case.kappas:
            wrong = made(bench, case, kappa, measured)
            for k in r, 2 * r:
                named = title(bench, case, kappa, k)
                mine = Courses(course(ROBUST, one, k, TARGET, _MOST) for one in wrong)
                yield demanded_row(bench, named, OURS, mine, ALLOWED, TARGET)
                if kappa == 1 and k == r and case.per_nr == 10:
                    yield from compared_rows(bench, named, mine[0], wrong[0], k)


def compared_rows(bench, named, mine, problem, k):
    """Compare with subgradient steps, of the best decay, and with losses that are not robust."""
    tried = {
        decay: course(subgradients(decay), problem, k, TARGET, _MOST_SUBGRADIENTS, _PATIENCE)
        for decay in (DECAYS[1:2] if bench.quick else DECAYS)
    }
    best = min(
        tried, key=lambda decay: (tried[decay].iterations or float("inf"), tried[decay].error)
    )
    others = "; ".join(f"{decay:g} {one.told()}" for decay, one in tried.items() if decay != best)
    yield compared_row(
        named, OURS, f"subgradient, decay {best:g}", mine, tried[best],
        others and f"other decays: {others}",
    )  # fmt: skip
    for peer, loss in (SQUARED, "squared"), (HUBER, "huber"):
        theirs = course(functools.partial(scaled_gd, loss=loss), problem, k, TARGET, 100)
        yield compared_row(named, OURS, peer, mine, theirs)


SECTIONS = {"Gross errors, symmetric (iterations to 1e-8)": outlier_rows}
