"""Which problems solvers are compared on, how every one is called there, and what is demanded."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ._transport_problems import Problem, cloud_costs, densities, images, random_assignment

MNIST = "images/mnist-t10k-images-idx3-ubyte.gz"


class Contest(NamedTuple):
    """A problem, and its contestants.

    `tolerances` are the loosest with which a solver's plan has an error of at most 1e-8,
    or if none has, one that comes as near as any; None for the solver that has none; or a
    text, why a solver is left out. `bars` are the ratios demanded of us.
    """

    family: str
    reg: str
    make: Callable  # of a Bench
    tolerances: dict
    bars: dict

    def title(self, problem):
        """Name the problem by its family, its size, and its regularisation."""
        n, m = problem.M.shape
        return f"{self.family} {n}x{m}, {self.reg}"


def random(bench, n, reg):
    return Problem(*random_assignment(200 if bench.quick else n), reg)


def mnist(bench, metric, reg):
    return Problem(*images(bench.file(MNIST), 0, 1, metric), reg)


def lines(bench, power, reg):
    return Problem(*densities(100 if bench.quick else 500, power), reg)


def clouds(bench, n, m, share):
    M, a, b = cloud_costs(*(min(size, 300) if bench.quick else size for size in (n, m)))
    return Problem(M, a, b, share * float(np.median(M)))


NAMES = (
    "regot ssns", "regot splr", "mdot-tnt", "ot.sinkhorn", "ot.sinkhorn stabilized",
    "ot.sinkhorn log", "ot.emd",
)  # fmt: skip


def contest(make, family, reg, /, *limits, bars=(), **given):
    """Put a contest together; limits and bars are in the order of `NAMES`."""
    tolerances = dict(zip(NAMES, (*limits, None), strict=True))
    return Contest(
        family,
        reg,
        functools.partial(make, **given),
        tolerances,
        dict(zip(NAMES, bars, strict=False)),
    )


LATE = "not run: it takes minutes, or was not seen to end"

# fmt: off
CONTESTS = {
    "random": [
        contest(random, "random", "reg 1/1200", 5e-9, 2e-9, 2e-8, 4e-9, 4e-9, LATE,
                bars=(6, 6, 20, 100), n=500, reg=1 / 1200),
        contest(random, "random", "reg 1/1200", 2e-8, 8e-10, 2e-8, 4e-9, LATE, LATE,
                bars=(12, 12, 20, None, None, None, 1), n=1000, reg=1 / 1200),
        contest(random, "random", "reg 1/1200", 5e-9, 5e-10, 5e-8, LATE, LATE, LATE,
                bars=(30, 30, 20, None, None, None, 1), n=2000, reg=1 / 1200),
        contest(random, "random", "reg 1e-3", 5e-9, 5e-10, 2e-8, 2e-9, LATE, LATE,
                bars=(None, None, 20, None, None, None, 1), n=1000, reg=1e-3),
        contest(random, "random", "reg 1e-4", 2e-9, 1e-10, 2e-8, LATE, LATE, LATE,
                bars=(None, None, 20, None, None, None, 1), n=1000, reg=1e-4),
    ],
    "images": [
        contest(mnist, "mnist, squared L2", "reg 1e-2", 5e-9, 5e-10, 5e-9, 2e-9, 5e-9, 2e-9,
                bars=(6, 6, 3, 3, None, None, 1), metric="sqeuclidean", reg=1e-2),
        contest(mnist, "mnist, squared L2", "reg 1e-3", 2e-9, 1e-10, 5e-9, 5e-10, 5e-10, LATE,
                bars=(6, 6, 3, 3, None, None, 1), metric="sqeuclidean", reg=1e-3),
        contest(mnist, "mnist, L1", "reg 1e-3", 1e-9, 1e-10, 5e-9, 5e-10, LATE, LATE,
                bars=(10, 10, 3, 3), metric="cityblock", reg=1e-3),
    ],
    "lines": [
        contest(lines, "line, squared", "reg 1e-3", 2e-9, 2e-9, 1e-8, 5e-10, 5e-10, LATE,
                bars=(None, None, None, 4), power=2, reg=1e-3),
        contest(lines, "line, absolute", "reg 1e-3", 2e-8, 2e-9, 1e-8, 2e-9, LATE, LATE,
                bars=(None, None, None, 4), power=1, reg=1e-3),
    ],
    "clouds": [
        contest(clouds, "clouds", "reg .01 median", 1e-10, 1e-8, 2e-8, 1e-10, LATE, LATE,
                bars=(None, None, 1.8, 4), n=2000, m=2000, share=0.01),
        contest(clouds, "clouds", "reg .001 median", 1e-9, 1e-9, 2e-8, 1e-10, LATE, LATE,
                bars=(None, None, 1.8, 4), n=1000, m=3000, share=0.001),
        contest(clouds, "clouds", "reg .01 median", LATE, LATE, 2e-8, LATE, LATE, LATE,
                bars=(None, None, 1.8), n=5000, m=5000, share=0.01),
        contest(clouds, "clouds", "reg .001 median", LATE, LATE, LATE, LATE, LATE, LATE,
                bars=(None, None, 1.8), n=5000, m=5000, share=0.001),
    ],
}
# fmt: on
