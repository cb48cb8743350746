"""Exact recovery of matrices of low rank from few entries, also where some of them are wrong."""

import functools
import time
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.completion import complete

from . import _completion_peers as peers
from . import _completion_problems as problems
from ._harness import Row

RECOVERED, GROSS_RECOVERED = 1e-3, 1e-6  # relative errors on all entries
SECONDS = 6.0  # of a draw, at most
LARGE_ERROR = 1e-7
_RANK, _KAPPA = 5, 10
_SWEEPS = 200  # of ALS as in textbooks


class Case(NamedTuple):
    """Entries, as a multiple of the degrees of freedom, and how many draws are to be recovered."""

    oversampling: float
    kappa: float
    n_draws: int
    recovered: int
    wrong: float = 0.0  # share of the entries

    def problem(self, seed, quick):
        n = 150 if quick else 1000
        made = problems.recovery(n, n, _RANK, self.oversampling, self.kappa, seed)
        return problems.with_outliers(made, self.wrong, seed) if self.wrong else made

    def title(self, quick):
        n = 150 if quick else 1000
        wrong = f", {self.wrong:.0%} wrong" if self.wrong else ""
        return f"{n}x{n} r={_RANK} kappa={self.kappa:g} os={self.oversampling:g}{wrong}"


CASES = (
    Case(2, _KAPPA, 20, 20), Case(1.5, _KAPPA, 20, 17), Case(1.3, _KAPPA, 20, 14),
    Case(1.5, 1e5, 20, 19),
)  # fmt: skip
GROSS = (
    Case(5, _KAPPA, 10, 10, 0.1), Case(8, _KAPPA, 10, 9, 0.2), Case(10, _KAPPA, 10, 10, 0.3)
)  # fmt: skip


def ours(problem, **options):
    """Return factors."""
    known, options = problem.known, {"alpha": 0, "fit_bias": False, "rng": 0} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = complete(
            known.rows, known.columns, known.values, known.shape, problem.rank, **options
        )
    return found.left, found.right


OURS, L1, RIDGE, ALS = "complete", "complete, l1", "complete, alpha=1", "ALS"
CMFREC = "cmfrec 0.01", "cmfrec 0.1"  # with these ridges
CMFREC_GROSS = "cmfrec 30"  # with less, further from the matrix; with more, all is zero
SOLVERS = {
    OURS: ours,
    L1: functools.partial(ours, loss="l1"),
    RIDGE: functools.partial(ours, alpha=1.0),
    ALS: functools.partial(ours, solver="als", alpha=1e-10, tol=1e-12, max_iter=_SWEEPS),
    **{
        name: functools.partial(peers.cmfrec_factors, lambda_=float(name.split()[1]))
        for name in (*CMFREC, CMFREC_GROSS)
    },
}


class Draws(NamedTuple):
    """CPU seconds and errors of a solver, by draw."""

    seconds: list
    errors: list

    def share(self, error):
        """Return the share of draws with a smaller error."""
        return float(np.mean(np.less(self.errors, error)))

    def typical(self):
        return float(np.median(self.errors))


def draws(solver, made):
    """Solve some problems."""
    found = Draws([], [])
    for problem in made:
        start = time.process_time()
        factors = SOLVERS[solver](problem)
        found.seconds.append(time.process_time() - start)
        found.errors.append(problem.error(*factors))
    return found


def compared_rows(bench, cases, ours, others, error):
    """Yield two kinds of rows: ours against what is demanded, and against each peer."""
    SOLVERS[ours](problems.recovery(40, 40, 2, 4, 1, 0))  # compiles
    others = peers.installed(dict.fromkeys(others))
    for case in cases:
        title, n_draws = case.title(bench.quick), 2 if bench.quick else case.n_draws
        made = [case.problem(seed, bench.quick) for seed in range(n_draws)]
        mine = draws(ours, made)
        yield demanded_row(bench, title, case, ours, mine, error)
        for peer in others:
            few = n_draws if peer == ALS else n_draws // 2 if bench.quick else 2
            theirs = draws(peer, made[:few])
            yield Row(
                title, ours, peer, np.median(mine.seconds), np.median(theirs.seconds),
                measure=f"share with an error < {error:g}", quality=mine.share(error),
                peer_quality=theirs.share(error),
                note=f"medians of {n_draws} and {few} draws; median errors {mine.typical():.1e} "
                f"and {theirs.typical():.1e}",
            )  # fmt: skip


def demanded_row(bench, title, case, ours, mine, error):
    """Compare the slowest draw with the time allowed; enough of them must be recovered."""
    count, n_draws = round(mine.share(error) * len(mine.errors)), len(mine.errors)
    return Row(
        title, f"{ours}, slowest of {n_draws}", "allowed", max(mine.seconds), SECONDS,
        measure=f"draws with an error < {error:g}", quality=count,
        valid=bench.judge(count >= case.recovered), bar=bench.bar(1.0),
        note=f"{count} of {n_draws} recovered, {case.recovered} are demanded; the median draw "
        f"takes {np.median(mine.seconds):.2g} s, those recovered have errors up to "
        f"{max((e for e in mine.errors if e < error), default=error):.1e}",
    )  # fmt: skip


def large_rows(bench):
    """Recover one large matrix."""
    n = 1000 if bench.quick else 20_000
    SOLVERS[OURS](problems.recovery(40, 40, 2, 4, 1, 0))  # compiles
    problem = problems.recovery(n, n, 10, 3, _KAPPA, 0)
    start = time.process_time()
    factors = ours(problem)
    seconds = time.process_time() - start
    error = problem.error(*factors)
    yield Row(
        f"{n}x{n} r=10 kappa={_KAPPA} os=3", OURS, "allowed", seconds, SECONDS,
        measure="relative error on all entries", quality=error, bar=bench.bar(1.0),
        valid=bench.judge(error <= LARGE_ERROR), note=f"at most {LARGE_ERROR:g} allowed",
    )  # fmt: skip


SECTIONS = {
    "Exact recovery": functools.partial(
        compared_rows, cases=CASES, ours=OURS, others=(ALS, *CMFREC), error=RECOVERED
    ),
    "Exact recovery of a large matrix": large_rows,
    "Gross errors": functools.partial(
        compared_rows, cases=GROSS, ours=L1, others=(RIDGE, CMFREC_GROSS), error=GROSS_RECOVERED
    ),
}
