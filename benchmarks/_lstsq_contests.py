"""Which problems solvers of least squares are compared on, who takes part, and what is demanded."""

import functools
from collections.abc import Callable
from typing import NamedTuple

from ._lstsq_contestants import OURS, PEERS
from ._lstsq_problems import coherent, haar

_SMALL = 60  # columns at most, of quick problems
LSTSQ, ESTIMATOR, SKETCH = "lstsq", "SketchedLinearRegression", "lstsq, sketch"
NORMAL, NUMPY, SKLEARN, GELSY = "normal equations", "numpy lstsq", "LinearRegression", "scipy gelsy"
ITERATIONS = ("scipy lsqr", "scipy lsmr")
SHORT = (NORMAL, NUMPY, SKLEARN)  # the peers that come again in other settings


class Contest(NamedTuple):
    """A problem, and its contestants.

    `bars` are the ratios demanded, by the names of ours and of the peer; `slack` is what
    our forward error may be, in units of gelsy's.
    """

    title: str
    make: Callable  # of n and d
    n: int
    d: int
    peers: tuple
    ours: tuple = tuple(OURS)
    bars: dict = {}
    slack: float = 3.0

    def problem(self, quick):
        """Return the problem, of full size or a small one."""
        d = min(self.d, _SMALL) if quick else self.d
        return self.make(min(self.n, 400 * d) if quick else self.n, d)

    def few(self):
        """Return what the solvers compile for."""
        return self.make(30 * self.d, self.d)

    def short(self):
        """Return the contest of those that come again in other settings."""
        ours = (LSTSQ, ESTIMATOR, SKETCH)
        return self._replace(peers=SHORT, ours=ours)

    def contestants(self):
        """Return solvers by name, ours first."""
        return {name: (OURS | PEERS)[name] for name in self.ours + self.peers}

    def pairs(self):
        """Yield whom to compare with whom: the function with all, the others with their like."""
        for peer in self.peers:
            yield LSTSQ, peer
        for ours in self.ours[1:]:
            peer = SKLEARN if ours == ESTIMATOR and SKLEARN in self.peers else self.peers[0]
            yield ours, peer


def peers_but(*absent):
    return tuple(name for name in PEERS if name not in absent)


def _times(normal, numpy, sklearn, sketch=None):
    """Bars: shares of the time of the normal equations, and ratios of others to ours."""
    return {
        (LSTSQ, NORMAL): normal and 1 / normal,
        (LSTSQ, NUMPY): numpy,
        (ESTIMATOR, SKLEARN): sklearn,
        (SKETCH, NORMAL): sketch and 1 / sketch,
    }


easy = functools.partial(haar, cond=1e3, res=1e-3)
hard = functools.partial(haar, cond=1e10, res=1e-6)

MAIN = (
    Contest("haar", easy, 10**6, 50, peers_but(*ITERATIONS), bars=_times(0.9, 15, 12)),
    Contest(
        "haar", easy, 10**6, 200, peers_but(*ITERATIONS, "scipy gelsd", "numpy qr"),
        bars=_times(0.65, 15, 12, 0.45),
    ),
    Contest("haar", easy, 2 * 10**5, 500, peers_but(*ITERATIONS), bars=_times(None, 8, 8)),
)  # fmt: skip
HARD = Contest(
    "haar, condition 1e10", hard, 10**6, 200, (NUMPY, GELSY, "sketch, QR, lsqr by hand"),
    ours=tuple(name for name in OURS if name not in (SKETCH, "lstsq, csne")),
    bars={(LSTSQ, NUMPY): 9, (LSTSQ, GELSY): 12}, slack=5.0,
)  # fmt: skip
OTHERS = (
    Contest("haar", easy, 10**5, 50, peers_but()),
    Contest(
        "coherent", coherent, 2 * 10**5, 200,
        (NORMAL, NUMPY, SKLEARN, GELSY, "clarkson_woodruff, lstsq"),
    ),
    Contest("haar", easy, 10**7, 10, (NORMAL, NUMPY, SKLEARN, GELSY, "Ridge(0), cholesky")),
)  # fmt: skip
