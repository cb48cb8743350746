"""Exact measurements: iterations whatever the condition number and the rank of the factors."""

import functools

import numpy as np

from lowrank_la.sensing import scaled_gd

from . import _sensing_problems as problems
from ._harness import Row
from ._sensing_courses import (
    DESCENT,
    OURS,
    Courses,
    compared_row,
    course,
    demanded_row,
    descent,
    published,
)

TARGET = 1e-10
ALLOWED = {1: 120, 2: 150, 5: 250}  # iterations, by the rank of the factors over that of the matrix
KAPPAS = 1, 10, 100, 1000
PUBLISHED = {"ScaledGD(s_min)": 1.0, "ScaledGD(s_min/20)": 1 / 20}  # damping over sigma_min
_MOST = 500, 500, 1500  # iterations of ours, of ScaledGD(lambda), of gradient descent
_PATIENCE = 100  # iterations of ScaledGD(lambda) without any progress
_GROWN = 1, 10, 100, 1000, 10_000


def size(bench):
    """Return n, true rank and number of draws."""
    return (20, 2, 2) if bench.quick else (50, 3, 3)


def draws(bench):
    """Return normal measurements of several draws."""
    n, r, n_draws = size(bench)
    return [problems.gaussian((n, n), 10 * n * r, seed) for seed in range(n_draws)]


def title(bench, kappa, k):
    n, r, _ = size(bench)
    return f"n={n} r={r} kappa={kappa:g} k={k}"


def exact_rows(bench):
    """Yield ours against what is demanded, and against published methods on the first draw."""
    n, r, _ = size(bench)
    measured = draws(bench)
    for kappa in KAPPAS[::3] if bench.quick else KAPPAS:
        made = [problems.sensing(n, r, kappa, A, seed) for seed, A in enumerate(measured)]
        for times, allowed in ALLOWED.items():
            k, named = times * r, title(bench, kappa, times * r)
            mine = Courses(course(scaled_gd, problem, k, TARGET, _MOST[0]) for problem in made)
            yield demanded_row(bench, named, OURS, mine, allowed, TARGET, as_given(made[0], k))
            for peer, solver, *limits in rivals(bench, kappa, times):
                theirs = course(solver, made[0], k, TARGET, *limits)
                yield compared_row(named, OURS, peer, mine[0], theirs)


def as_given(problem, k):
    """Say where ours ends by itself, with no option changed."""
    result = scaled_gd(
        problem.A, problem.y, k, problem.matrix.shape, symmetric=True, rng=0
    )  # fmt: skip
    error = problem.error(result.left, result.right)
    return f"with the default tol the first draw ends after {result.n_iter}, at {error:.1e}"


def rivals(bench, kappa, times):
    """Published methods; gradient descent where it is not bound to take far too long."""
    for peer, share in PUBLISHED.items():
        yield peer, published(kappa, share), _MOST[1], _PATIENCE
    if (times == 1 and kappa <= 100) or (times * kappa == 2 and not bench.quick):
        yield DESCENT, descent(), _MOST[2]


def growth_rows(bench):
    """Fit how the iterations of the published method grow with the condition number, for k = r."""
    n, r, _ = size(bench)
    kappas, measured = _GROWN[: 3 if bench.quick else None], draws(bench)
    made = [
        [problems.sensing(n, r, kappa, A, seed) for seed, A in enumerate(measured)]
        for kappa in kappas
    ]
    methods = [
        (peer, functools.partial(published, share=share)) for peer, share in PUBLISHED.items()
    ]
    for name, solver_of in [*methods, (OURS, lambda kappa: scaled_gd)]:
        found = [
            Courses(course(solver_of(kappa), problem, r, TARGET, 2000) for problem in some)
            for kappa, some in zip(kappas, made, strict=True)
        ]
        yield growth_row(bench, name, kappas, found)


def growth_row(bench, name, kappas, found):
    """Compare the last number of iterations with the second, times the ratio of logarithms."""
    arrived = all(some.reached == len(some) for some in found)
    steps = np.array([some.typical() if some.reached else np.nan for some in found])
    logs = np.log10(kappas)
    slope, start = np.polyfit(logs, steps, 1)
    power = np.polyfit(logs, np.log10(steps), 1)[0]
    allowed = steps[1] * logs[-1] / logs[1]
    return Row(
        title(bench, kappas[-1], size(bench)[1]), name, "growth like log(kappa)",
        found[-1].seconds, None, iterations=steps[-1], peer_iterations=allowed,
        clock="iterations", measure="relative error of the matrix", quality=found[-1].error,
        valid=bench.judge(arrived), bar=bench.bar(1.0),
        note="medians of {} draws: {} at kappa {}; fitted: {:.0f} {:+.1f} log10(kappa), or "
        "kappa^{:.3f}; allowed: those at {:g} times the ratio of logarithms".format(
            len(found[0]), ", ".join(f"{step:g}" for step in steps),
            ", ".join(f"{kappa:g}" for kappa in kappas), start, slope, power, kappas[1],
        ),
    )  # fmt: skip


SECTIONS = {
    "Exact, symmetric, 10 n r measurements (iterations to 1e-10)": exact_rows,
    "Growth with the condition number": growth_rows,
}
