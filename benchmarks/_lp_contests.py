"""Which lp regressions are compared, who takes part, and what is demanded."""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

from ._lp_problems import Problem, l1, light, table

OURS = "lp_regression"
PFN, TUNED, FNB = "pinball pfn", "pinball pfn, tuned", "pinball fnb"
HIGHS, STATSMODELS = "QuantileRegressor, highs", "statsmodels QuantReg"
PYFIXEST, IRLS = "pyfixest Frisch-Newton", "numpy IRLS, 50 iterations"
NEWTON, LBFGS = "numpy Newton", "scipy L-BFGS-B"
PROGRAM, DUAL = "linprog, highs-ipm", "linprog, dual"
DECILES = tuple(k / 10 for k in range(1, 10))


class Contest(NamedTuple):
    """A problem, and who solves it; `bars` are ratios by peer, on the clock of the section."""

    title: str
    make: Callable  # of the run and the number of rows: design and targets
    n: int | None  # None: all rows
    peers: tuple
    p: float = 1.0
    quantile: float | tuple = 0.5
    bars: dict = {}
    rounds: int = 3

    def problem(self, bench):
        n = min(self.n or math.inf, 2000) if bench.quick else self.n
        return Problem(*self.make(bench, n), p=self.p, quantile=self.quantile)

    def name(self, problem):
        """Return what rows call the problem."""
        kind = f"p {self.p:g}"
        if self.p == 1:
            several = isinstance(self.quantile, tuple)
            kind = f"{len(self.quantile)} quantiles" if several else f"quantile {self.quantile:g}"
        return "{} {}x{}, {}".format(self.title, *problem.A.shape, kind)


def _generated(generator, d):
    return lambda bench, n: generator(n, d)


def _real(name):
    return lambda bench, n: table(bench, name, n)


def _l1(n, d, quantile, peers, **options):
    return Contest("l1", _generated(l1, d), n, peers, quantile=quantile, **options)


def _power(n, p, peers=(NEWTON, LBFGS)):
    return Contest("normal noise", _generated(light, 20), n, peers, p=p)


_MANY = (PFN, TUNED, FNB, PYFIXEST)
_ALL = (*_MANY, STATSMODELS, IRLS, HIGHS)

MAIN = [
    contest
    for quantile in (0.5, 0.9)
    for contest in (
        _l1(10**4, 20, quantile, _ALL, bars={HIGHS: 200}),
        _l1(10**5, 50, quantile, _ALL[:-1], bars={PFN: 3.5, TUNED: 3.5}),
        _l1(10**6, 20, quantile, _MANY, bars={PFN: 5, TUNED: 5}),
    )
]
SEVERAL = [
    _l1(10**4, 20, DECILES, (*_MANY, STATSMODELS)),
    _l1(10**5, 20, DECILES, _MANY),
]
POWERS = [
    *(_power(10**6, p) for p in (1.5, 3.0, 8.0)),
    _power(10**4, math.inf, (PROGRAM, DUAL)),
    _power(10**5, math.inf, (PROGRAM,)),
    *(Contest("diamonds", _real("diamonds"), None, (NEWTON, LBFGS), p=p) for p in (1.5, 3.0)),
]
REAL = {
    name: [
        Contest(name, _real(name), None, (*_MANY, STATSMODELS, IRLS), quantile=quantile)
        for quantile in (0.5, 0.9)
    ]
    for name in ("housing", "diamonds", "flights")
}
TWO_THREADS = [  # the best peers of the main contests; what draws at random has more turns
    contest._replace(peers=(PFN, TUNED, HIGHS))
    if HIGHS in contest.peers
    else contest._replace(peers=(PFN, TUNED, FNB), rounds=5)
    for contest in MAIN
]


def few(contest):
    """Return a small problem of the kind, for ours to compile on."""
    generator = functools.partial(light if contest.p != 1 else l1, 3000, 20)
    return Problem(*generator(), p=contest.p, quantile=contest.quantile)
