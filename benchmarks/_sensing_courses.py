"""How many iterations solvers take until the matrix itself is met."""

import functools
import time
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.sensing import gradient_descent, scaled_gd, subgradient

from ._harness import Row

UNTIL_MET = 1e-13  # tol of all: the true error ends them
_GAIN = 0.9  # of the error, within the patience
_STEP = 0.3  # of the published methods

OURS, DESCENT = "scaled_gd", "gradient_descent"


def published(kappa, share):
    """ScaledGD(lambda) as published: constant damping, a share of the least singular value."""
    return functools.partial(
        scaled_gd, damping="constant", damping_size=share / kappa, step_size=_STEP
    )


def descent(**options):
    return functools.partial(gradient_descent, step_size=_STEP, **options)


def subgradients(decay):
    """Geometric steps of the subgradient method."""
    return functools.partial(subgradient, step="geometric", decay=decay)


class Course(NamedTuple):
    """Iterations that were done, and whether the error became small enough."""

    n_iter: int
    arrived: bool
    seconds: float
    error: float

    @property
    def iterations(self):
        """Return how many it took, or None where it did not arrive."""
        return self.n_iter if self.arrived else None

    def told(self):
        """Say where it ended, and how long an iteration took."""
        each = f"{1e3 * self.seconds / self.n_iter:.2g} ms each"
        if self.arrived:
            return f"{self.n_iter} iterations, {each}"
        return f"stopped after {self.n_iter} iterations, {each}, at {self.error:.0e}"


def course(solver, problem, rank, target, max_iter, patience=np.inf, **options):
    """Solve until the relative error of the matrix is below the target, or falls no more."""
    error, best, since = np.inf, np.inf, 0

    def callback(info):
        nonlocal error, best, since
        error = problem.error(info["left"], info["right"])
        if error <= _GAIN * best:
            best, since = error, info["n_iter"]
        return error < target or error == np.inf or info["n_iter"] - since > patience

    options = {"tol": UNTIL_MET, "rng": 0, "symmetric": problem.symmetric} | options
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the row tells
        result = solver(
            problem.A, problem.y, rank, problem.matrix.shape, callback=callback, max_iter=max_iter,
            **options,
        )  # fmt: skip
    seconds = time.process_time() - start
    return Course(result.n_iter, error < target, seconds, error)


class Courses(list):
    """Courses of several draws."""

    @property
    def reached(self):
        return sum(one.arrived for one in self)

    @property
    def slowest(self):
        return max((one.n_iter for one in self if one.arrived), default=None)

    @property
    def seconds(self):
        return float(np.median([one.seconds for one in self]))

    @property
    def error(self):
        """The largest."""
        return max(one.error for one in self)

    def typical(self):
        """Return the median of the iterations of those that arrived."""
        return float(np.median([one.n_iter for one in self if one.arrived]))


def demanded_row(bench, problem, ours, mine, allowed, target, note=""):
    """Compare the iterations of the slowest draw with those allowed; all draws must arrive."""
    arrived = mine.reached == len(mine)
    told = [f"{mine.reached} of {len(mine)} draws below {target:g}"]
    if mine.reached:
        told.append(f"{mine.typical():g} iterations in the median, {mine.slowest} in the slowest")
    return Row(
        problem, f"{ours}, slowest of {len(mine)}", "allowed", mine.seconds, None,
        iterations=mine.slowest or allowed, peer_iterations=allowed, clock="iterations",
        measure="relative error of the matrix", quality=mine.error,
        valid=bench.judge(arrived), bar=bench.bar(1.0),
        note="; ".join([*told, *filter(None, [note])]),
    )  # fmt: skip


def compared_row(problem, ours, peer, mine, theirs, note=""):
    """Compare two courses by their CPU time."""
    told = f"ours {mine.told()}; {peer} {theirs.told()}"
    return Row(
        problem, ours, peer, mine.seconds, theirs.seconds, iterations=mine.iterations,
        peer_iterations=theirs.iterations, measure="relative error of the matrix",
        quality=mine.error, peer_quality=theirs.error, note="; ".join(filter(None, [told, note])),
    )  # fmt: skip
