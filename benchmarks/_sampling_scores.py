"""Leverage scores: ours against LAPACK, statsmodels, and what users write."""

import functools
import json
from typing import NamedTuple

import numpy as np
from scipy import linalg

from lowrank_la.sampling import leverage_scores

from ._harness import Row, compare, fresh, peak_beside
from ._lstsq_problems import haar
from ._sampling_problems import accurate_scores, extended_scores, leverage_matrix
from ._two_threads import NOTE, raced, tell

ACCURATE = 1e-9  # relative error of a score that is allowed
SHARE = 0.05  # of A, the memory that is allowed beside it and the scores
_CHECKED = 2000  # rows whose scores are compared
_BLOCK = 2048


def numpy_inverse(A):
    """Score rows in one expression."""
    return np.einsum("ij,ij->i", A @ np.linalg.inv(A.T @ A), A)


def triangular(A):
    """Score rows by Cholesky's factorisation."""
    triangle = linalg.cholesky(A.T @ A, lower=True)
    Z = linalg.solve_triangular(triangle, A.T, lower=True, check_finite=False)
    return np.einsum("ji,ji->i", Z, Z)


def numpy_blocks(A):
    """The same with a loop over blocks of rows, which remain in the cache."""
    inverse = linalg.inv(linalg.cholesky(A.T @ A))
    scores = np.empty(len(A))
    for lo in range(0, len(A), _BLOCK):
        Z = A[lo : lo + _BLOCK] @ inverse
        scores[lo : lo + _BLOCK] = np.einsum("ij,ij->i", Z, Z)
    return scores


def numpy_qr(A):
    Q = np.linalg.qr(A)[0]
    return np.einsum("ij,ij->i", Q, Q)


def statsmodels_hat(A):
    from statsmodels.regression.linear_model import OLS
    from statsmodels.stats.outliers_influence import OLSInfluence

    return OLSInfluence(OLS(np.ones(len(A)), A).fit()).hat_matrix_diag


EXACT, STABLE, SKETCHED = (
    f"leverage_scores, {method}" for method in ("exact", "stable", "sketched")
)
OURS = {
    name: functools.partial(leverage_scores, method=name.split()[1], rng=0)
    for name in (EXACT, STABLE, SKETCHED)
}
EXPRESSIONS = {"numpy inv, einsum": numpy_inverse, "scipy cholesky, triangular": triangular}
BEST = "best expression"
QR, BLOCKS, STATSMODELS = "numpy qr", "numpy, blocks of rows", "statsmodels hat_matrix_diag"
PEERS = {**EXPRESSIONS, QR: numpy_qr, BLOCKS: numpy_blocks, STATSMODELS: statsmodels_hat}


class Contest(NamedTuple):
    """A size, and who takes part; `bars` are by names of ours and of the peer."""

    n: int
    d: int
    peers: tuple
    bars: dict = {}

    def matrix(self, quick):
        return (
            leverage_matrix(min(self.n, 20_000), min(self.d, 30))
            if quick
            else leverage_matrix(self.n, self.d)
        )


_USUAL = (*EXPRESSIONS, QR, BLOCKS)
CONTESTS = (
    Contest(10**6, 50, _USUAL, {(EXACT, QR): 25, (EXACT, BEST): 2.5, (STABLE, BEST): 1.25}),
    Contest(5 * 10**5, 200, _USUAL),
    Contest(10**5, 50, (*_USUAL, STATSMODELS)),
)


def measured(contest, quick, rounds=3):
    """Return the title, and timings with the largest relative errors as results."""
    for call in OURS.values():
        call(leverage_matrix(2000, contest.d))  # compiles
    A = contest.matrix(quick)
    contestants = OURS | {name: PEERS[name] for name in contest.peers}
    calls = {name: functools.partial(call, A) for name, call in contestants.items()}
    rows = np.random.default_rng(1).choice(len(A), _CHECKED, replace=False)
    for name, call in calls.items():
        calls[name] = lambda call=call: call()[rows]
    timings = compare(calls, rounds=rounds)
    right = accurate_scores(A, rows)
    for timing in timings.values():
        timing.result = float(np.max(abs(timing.result / right - 1)))
    return "leverage {}x{}".format(*A.shape), timings


def contest_rows(bench, contest):
    if STATSMODELS in contest.peers:
        bench.peer("statsmodels")
    title, timings = measured(contest, bench.quick)
    yield from rows_of(bench, contest, title, timings)


def rows_of(bench, contest, title, timings, clock="cpu", setting=""):
    """Yield rows of all pairs; the bar of expressions is that of the fastest."""
    seconds = {name: getattr(timings[name], f"{clock}_s") for name in EXPRESSIONS}
    best = min(seconds, key=seconds.get)
    pairs = [
        (ours, peer) for ours in OURS for peer in contest.peers if ours == EXACT or peer == best
    ]
    for ours, peer in pairs:
        bar = contest.bars.get((ours, BEST if peer == best else peer))
        parts = [setting, f"of {_CHECKED} rows"]
        if peer == best:
            parts.append("the faster of the expressions")
        yield Row.of(
            title, ours, peer, timings, clock=clock, measure="largest relative error",
            quality=timings[ours].result, peer_quality=timings[peer].result,
            valid=None if ours == SKETCHED else timings[ours].result <= ACCURATE,
            bar=bench.bar(bar), note="; ".join(filter(None, parts)),
        )  # fmt: skip


def race(quick):
    """Measure the first contest in this process, and print it."""
    title, timings = measured(CONTESTS[0], quick)
    tell(timings, title)


def two_threads_rows(bench):
    """Compare on the wall clock."""
    timings, title = raced("_sampling_scores", bench.quick)
    yield from rows_of(bench, CONTESTS[0]._replace(bars={}), title, timings, "wall", NOTE)


def peak(index, name, quick):
    """Print what a contestant takes beside matrix and scores, in this process, and A's MB."""
    call = (OURS | PEERS)[name]
    call(leverage_matrix(2000, CONTESTS[index].d))
    A = CONTESTS[index].matrix(quick)
    held = peak_beside(lambda: call(A)) - 8 * len(A) / 2**20
    print(json.dumps([held, A.nbytes / 2**20, A.shape]))


def memory_rows(bench):
    """Compare the most memory beside matrix and scores, each in a process of its own."""
    for index in range(1 if bench.quick else 2):
        found, peers = {}, () if index else (*EXPRESSIONS, QR)
        for name in (EXACT, STABLE, *peers):
            code = f"from benchmarks._sampling_scores import peak; peak{index, name, bench.quick}"
            cpu_s, (held, size, shape) = fresh(code)
            found[name] = cpu_s, held
        title = "leverage {}x{}".format(*shape)
        in_units = ", ".join(f"{name} {held / size:.2f}" for name, (_, held) in found.items())
        for name in (EXACT, STABLE):
            yield Row.memory(
                title, name, f"{SHARE:.0%} of A", found[name], (None, SHARE * size),
                bar=bench.bar(1.0), note=f"beside A and the scores, in units of A: {in_units}",
            )  # fmt: skip


def accuracy_rows(bench):
    """Compare errors on matrices of any condition."""
    n = 5000 if bench.quick else 20_000
    matrices = {"leverage": leverage_matrix(n, 50)} | {
        f"haar, condition {cond:.0e}": haar(n, 50, cond, 0.0).A for cond in (1e5, 1e10, 1e14)
    }
    for title, A in matrices.items():
        right = extended_scores(A)
        calls = {name: functools.partial(OURS[name], A) for name in (EXACT, STABLE)} | {
            name: functools.partial(attempt, call, A)
            for name, call in {**EXPRESSIONS, QR: numpy_qr}.items()
        }
        timings = compare(calls, bench.quick)
        errors = {
            name: float(np.max(abs(timing.result / right - 1))) for name, timing in timings.items()
        }
        for ours in (EXACT, STABLE):
            for peer in (*EXPRESSIONS, QR):
                failed = bool(np.isnan(errors[peer]))
                yield Row.of(
                    "{} {}x{}".format(title, *A.shape), ours, peer, timings,
                    measure="largest relative error", quality=errors[ours],
                    peer_quality=None if failed else errors[peer],
                    valid=errors[ours] <= max(ACCURATE, 10 * errors[QR]),
                    note="against extended precision" + "; the peer FAILS" * failed,
                )  # fmt: skip


def attempt(call, A):
    """Return the scores, or none where a factorisation fails."""
    try:
        return call(A)
    except linalg.LinAlgError:
        return np.full(len(A), np.nan)


SECTIONS = {
    "Leverage scores": functools.partial(contest_rows, contest=CONTESTS[0]),
    "Leverage scores, 200 columns": functools.partial(contest_rows, contest=CONTESTS[1]),
    "Leverage scores, statsmodels too": functools.partial(contest_rows, contest=CONTESTS[2]),
    "Leverage scores, two threads (wall time)": two_threads_rows,
    "Leverage scores, memory": memory_rows,
    "Leverage scores, accuracy": accuracy_rows,
}
