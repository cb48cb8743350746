"""Noisy measurements: the error beside that which theory allows, whatever the rank of factors."""

import time
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.sensing import scaled_gd

from . import _sensing_problems as problems
from ._harness import Row

FACTOR = 2.0  # of the error of theory
LEVELS = 0.1, 1.0  # deviation of the noise of a measurement, over that of the measurements
TIMES = 1, 2, 3, 5  # rank of the factors over that of the matrix
OURS, TO_THE_END = "scaled_gd, early stopping", "scaled_gd, to the end"


class Family(NamedTuple):
    """Shape, true rank, and condition number of matrices."""

    shape: tuple
    rank: int
    symmetric: bool
    kappa: float = 2.0

    def freedom(self):
        """Return n r, or (n1 + n2) r."""
        return self.rank * (self.shape[0] if self.symmetric else sum(self.shape))

    def title(self):
        kind = "psd " if self.symmetric else ""
        return "{}{}x{} r={}".format(kind, *self.shape, self.rank)

    def exact(self, seed):
        A = problems.gaussian(self.shape, 10 * self.freedom(), seed, self.symmetric)
        M = problems.low_rank(self.shape, self.rank, self.kappa, seed, self.symmetric)
        return problems.Sensing(A, A @ M.ravel(), M)


FAMILIES = Family((50, 50), 3, True), Family((40, 30), 2, False)


def solved(problem, rank, **options):
    """Return CPU seconds, error and iterations."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = scaled_gd(
            problem.A, problem.y, rank, problem.matrix.shape, symmetric=problem.symmetric, rng=0,
            **options,
        )  # fmt: skip
    seconds = time.process_time() - start
    return seconds, problem.error(result.left, result.right), result.n_iter


def noise_rows(bench):
    """Yield errors over sigma sqrt(n r / m), medians of draws."""
    n_draws = 1 if bench.quick else 3
    for family in FAMILIES:
        exact = [family.exact(seed) for seed in range(n_draws)]
        for level in LEVELS:
            # the rows of A have a variance of 1 / m, the matrix has about its norm measured
            deviations = [level * np.linalg.norm(p.y) / len(p.y) ** 0.5 for p in exact]
            noisy = [
                problems.with_noise(problem, deviation, seed)
                for seed, (problem, deviation) in enumerate(zip(exact, deviations, strict=True))
            ]
            floors = [
                deviation * family.freedom() ** 0.5 / np.linalg.norm(problem.matrix)
                for problem, deviation in zip(exact, deviations, strict=True)
            ]
            for times in TIMES[::3] if bench.quick else TIMES:
                yield noise_row(bench, family, level, times, noisy, floors)


def noise_row(bench, family, level, times, noisy, floors):
    k = times * family.rank
    seconds, errors, steps = {}, {}, {}
    for name, options in (OURS, {"early_stopping": True}), (TO_THE_END, {}):
        found = np.array([solved(problem, k, **options) for problem in noisy])
        seconds[name], steps[name] = np.median(found[:, 0]), np.median(found[:, 2])
        errors[name] = np.median(found[:, 1] / floors)
    return Row(
        f"{family.title()} noise={level:g} k={k}", OURS, "allowed", seconds[OURS], None,
        iterations=steps[OURS], clock="error", measure="error over sigma sqrt(n r / m)",
        quality=errors[OURS], peer_quality=FACTOR, bar=bench.bar(1.0),
        note=f"medians of {len(noisy)} draws, 10 n r measurements; {steps[OURS]:g} iterations, "
        f"{seconds[OURS]:.2g} s; to the end, {errors[TO_THE_END]:.2f} in "
        f"{steps[TO_THE_END]:g} iterations, {seconds[TO_THE_END]:.2g} s",
    )  # fmt: skip


SECTIONS = {"Noise": noise_rows}
