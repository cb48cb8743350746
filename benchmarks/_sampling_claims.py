"""What papers claim of sensitivity sampling: how many rows it takes, and total sensitivities."""

import functools
import time
from typing import NamedTuple

import numpy as np
from scipy import linalg, optimize

from lowrank_la.linear_model import lp_regression
from lowrank_la.sampling import (
    leverage_scores,
    lewis_weights,
    lp_sensitivities,
    root_leverage_scores,
    sample_rows,
    total_sensitivity,
)

from ._harness import Row
from ._lp_problems import table
from ._sampling_problems import heavy, instance

DISTORTION = 0.5
POWERS = 1.0, 1.5, 3.0, 4.0
COMBINED, PLAIN = "leverage, sensitivity", "sensitivity"
_DRAWS = 5
_GRID = 1.1  # ratio of the sizes that are tried
_STEPS = 60  # of a search for the worst direction


class Norms:
    """Norms of ``A x`` beside those of weighted rows, for many x at once and for the worst."""

    def __init__(self, A, p, rng, n_directions=256):
        triangle = linalg.qr(A, mode="r")[0][: A.shape[1]]
        self._B = linalg.solve_triangular(triangle, A.T, trans=1).T.copy()
        self._p = p
        d = A.shape[1]
        peaks = self._B[rng.choice(len(A), n_directions // 2)].T  # the largest shares of rows
        self._x = np.hstack([np.eye(d), rng.standard_normal((d, n_directions // 2)), peaks])
        self._powers = abs(self._B @ self._x) ** p
        self._sums = self._powers.sum(axis=0)

    def distortion(self, rows, weights, enough=np.inf):
        """Return how far the ratio of norms is from 1 at most, or something larger than enough.

        Fixed directions, and those that a sum of squares loses or gains most in, are where a
        search for the worst begins: the true value is no less.
        """
        spectral = linalg.eigh((self._B[rows].T * weights) @ self._B[rows])[1][:, [0, -1]]
        ratios = np.concatenate([
            weights @ self._powers[rows] / self._sums, self._ratios(spectral, rows, weights)
        ])  # fmt: skip
        found = self._far(ratios).max()
        directions = np.hstack([self._x, spectral])
        for chosen, sign in (np.argmin, 1), (np.argmax, -1):
            for k in {chosen(ratios), chosen(ratios[-2:]) - 2}:
                if found > enough:
                    return found
                found = max(found, self._searched(rows, weights, directions[:, k], sign))
        return found

    def _ratios(self, x, rows, weights):
        powers = abs(self._B @ x) ** self._p
        return weights @ powers[rows] / powers.sum(axis=0)

    def _far(self, ratios):
        return abs(ratios ** (1 / self._p) - 1)

    def _searched(self, rows, weights, x, sign):
        """Follow the logarithm of the ratio down, or up, from a direction."""
        few, p, ratio = self._B[rows], self._p, None

        def value_and_gradient(x):
            nonlocal ratio
            (part, part_gradient), (whole, whole_gradient) = (
                _powers(few, x, p, weights), _powers(self._B, x, p, 1.0)
            )  # fmt: skip
            ratio = part / whole
            floor = max(part, 1e-12 * whole)
            return sign * np.log(floor / whole), sign * (
                part_gradient / floor - whole_gradient / whole
            )

        options = {"maxiter": _STEPS, "ftol": 1e-6}
        found = optimize.minimize(
            value_and_gradient, x, jac=True, method="L-BFGS-B", options=options
        )
        value_and_gradient(found.x)
        return self._far(ratio)


def _powers(A, x, p, weights):
    """Sum of weighted powers of ``A x``, and its gradient."""
    y = A @ x
    powers = weights * abs(y) ** (p - 1)
    return float(powers @ abs(y)), p * (A.T @ (powers * np.sign(y)))


class Needed(NamedTuple):
    """How many rows of some scores it takes, and the CPU seconds of a regression on so many."""

    rows: int
    cpu_s: float


def needed(norms, A, scores, p):
    """Find the fewest rows whose distortion is small enough in the median of some draws."""
    fewest, most = A.shape[1], len(A)
    lo, hi = 0, int(np.ceil(np.log(most / fewest) / np.log(_GRID)))
    while lo < hi:
        middle = (lo + hi) // 2
        if _suffices(norms, scores, size(fewest, middle)):
            hi = middle
        else:
            lo = middle + 1
    m = min(size(fewest, lo), most)
    rows, weights = sample_rows(scores, m, rng=0)
    b = np.random.default_rng(0).standard_normal(len(rows))
    start = time.process_time()
    lp_regression(A[rows], b, p, sample_weight=weights, rng=0)
    return Needed(m, time.process_time() - start)


def size(fewest, step):
    return int(np.ceil(fewest * _GRID**step))


def _suffices(norms, scores, m):
    failures = 0
    for seed in range(_DRAWS):
        rows, weights = sample_rows(scores, min(m, len(scores)), rng=seed)
        failures += norms.distortion(rows, weights, DISTORTION) > DISTORTION
        if failures > _DRAWS // 2 or seed - failures >= _DRAWS // 2:
            break
    return failures <= _DRAWS // 2


def scores_of(made, p):
    """Return scores by name; the combined ones have half of their sum from each."""
    sensitivities, leverage = made.sensitivities, leverage_scores(made.A)
    return {
        COMBINED: sensitivities / sensitivities.sum() + leverage / leverage.sum(),
        PLAIN: sensitivities,
        "root leverage": root_leverage_scores(made.A, p),
        "Lewis": lewis_weights(made.A, p).weights,
    }


def claim_rows(bench, p):
    """Compare all rules, for total sensitivities from small to large."""
    d = 16 if bench.quick else 64
    for share in (0, 1, 2) if bench.quick else (0, 1, 2, 3):
        yield from compared_rows(bench, p, d, share * d // 4)


def growth_rows(bench):
    """Compare sensitivities with and without leverage where these were shown to need more."""
    for d in (16, 32) if bench.quick else (32, 128, 256):
        yield from compared_rows(bench, 1.0, d, d // 4, (COMBINED, PLAIN))


def compared_rows(bench, p, d, n_units, rules=None):
    """Find out how many rows the rules need."""
    made = instance(d, n_units, p, *((512, 64) if bench.quick else (8192, 128)))
    total = made.sensitivities.sum()
    norms = Norms(made.A, p, np.random.default_rng(0))
    lp_regression(made.A[:200], made.A[:200].sum(axis=1) ** 2, p)  # compiles
    scores = scores_of(made, p)
    found = {name: needed(norms, made.A, scores[name], p) for name in rules or scores}
    mine, plain = found[COMBINED], found[PLAIN]
    for name in list(found)[1:]:
        yield Row(
            "p {:g}, {}x{}, {} unit columns".format(p, *made.A.shape, n_units),
            COMBINED, name, mine.cpu_s, found[name].cpu_s,
            measure=f"rows needed for a distortion of {DISTORTION:g}", quality=mine.rows,
            peer_quality=found[name].rows,
            note=f"total sensitivity {total:.1f}, at worst {worst_case(d, p):.0f}; in units of "
            f"its bound, combined {mine.rows / bound(COMBINED, p, d, total):.2f}, plain "
            f"{plain.rows / bound(PLAIN, p, d, total):.2f}; of that of the combined, plain "
            f"{plain.rows / bound(COMBINED, p, d, total):.2f}; seconds: a regression on them",
        )  # fmt: skip


def worst_case(d, p):
    return max(d, d ** (p / 2))


def bound(rule, p, d, total):
    """Leading term of the rows that suffice: Munteanu and Omlor, Woodruff and Yasuda for p > 2."""
    if rule == COMBINED:
        rows = total + d if p < 2 else d ** (2 / p) * total ** (2 - 4 / p)
    else:
        rows = d ** (1 - p / 2) * total if p < 2 else total ** (2 - 2 / p)
    return rows / DISTORTION**2


def total_rows(bench):
    """Compare total sensitivities of data with the worst case, and with approximations of all."""
    n = 2000 if bench.quick else 50_000
    sources = {"heavy": lambda: heavy(n, 20)[0]} | {
        name: functools.partial(_features, bench, name, n) for name in ("housing", "diamonds")
    }
    for name, make in sources.items():
        A = make()
        for p in POWERS[: 1 if bench.quick else None]:
            total_sensitivity(A[:500], p, n_rows=4, rng=0)  # compiles
            start = time.process_time()
            total = total_sensitivity(A, p, rng=0)
            seconds, start = time.process_time() - start, time.process_time()
            scores = lp_sensitivities(A, p, method="approximate", rng=0)
            yield Row(
                "{} {}x{}, p {:g}".format(name, *A.shape, p), "total_sensitivity",
                "lp_sensitivities, approximate", seconds, time.process_time() - start,
                measure="total sensitivity", quality=total.estimate, peer_quality=scores.sum(),
                note=f"standard error {total.standard_error:.2g}, {total.n_rows} regressions; the "
                f"worst case is {worst_case(A.shape[1], p):.1f}",
            )  # fmt: skip


def _features(bench, name, rows):
    return table(bench, name, rows)[0]


def exact_rows(bench):
    """Compare estimates and approximations with exact sensitivities, of few rows."""
    n = 200 if bench.quick else 2000
    A = heavy(n, 10)[0]
    for p in POWERS:
        start = time.process_time()
        exact = lp_sensitivities(A, p)
        exact_s, start = time.process_time() - start, time.process_time()
        close = lp_sensitivities(A, p, method="approximate", rng=0)
        close_s, start = time.process_time() - start, time.process_time()
        total = total_sensitivity(A, p, rng=0)
        title = "heavy {}x{}, p {:g}".format(*A.shape, p)
        ratios = close / exact
        yield Row(
            title, "total_sensitivity", "lp_sensitivities, exact",
            time.process_time() - start, exact_s, measure="total sensitivity",
            quality=total.estimate, peer_quality=exact.sum(),
            valid=abs(total.estimate - exact.sum()) <= 5 * total.standard_error + 0.1 * exact.sum(),
            note=f"standard error {total.standard_error:.2g}",
        )  # fmt: skip
        yield Row(
            title, "lp_sensitivities, approximate", "lp_sensitivities, exact", close_s, exact_s,
            measure="sum", quality=close.sum(), peer_quality=exact.sum(),
            note=f"of single rows, approximate over exact: from {ratios.min():.2f} to "
            f"{ratios.max():.1f}, median {np.median(ratios):.2f}",
        )  # fmt: skip


SECTIONS = {
    **{f"Rows needed, p = {p:g}": functools.partial(claim_rows, p=p) for p in POWERS},
    "Rows needed, more columns": growth_rows,
    "Total sensitivities": total_rows,
    "Sensitivities, exact": exact_rows,
}
