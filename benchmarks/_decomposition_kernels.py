"""Kernel matrices from a few of their columns: ours against scikit-learn, and what users write."""

import functools
import json
import time
from pathlib import Path

import numpy as np
from scipy import linalg
from scipy.spatial.distance import cdist
from sklearn.kernel_approximation import Nystroem

from lowrank_la.decomposition import RPCholeskyKernelMap, rp_cholesky

from . import _decomposition_problems as problems
from ._harness import Bench, Row, compare, fresh, peak_beside
from ._two_threads import NOTE, raced, tell

GAMMA = 1 / 8
LEFT = 1.65e-3  # of the trace, what may be left
LESS = 7  # times less than by scikit-learn
_SEEDS = 3
_BATCH = 160  # proposals at most, of the script


def script(X, k, seed):
    """Accelerated randomly pivoted Cholesky, as users write it from the paper (2410.03969)."""
    rng, n = np.random.default_rng(seed), len(X)
    factor, left, rank = np.empty((n, k), order="F"), np.ones(n), 0
    while rank < k:
        size = min(_BATCH, k - rank)
        drawn = rng.choice(n, size, p=left / left.sum())
        rows = factor[drawn, :rank]
        residual = _kernel(X[drawn], X[drawn]) - rows @ rows.T
        accepted, triangle = _accepted(residual, left[drawn], rng)
        chosen = drawn[accepted]
        columns = _kernel(X, X[chosen])
        columns -= factor[:, :rank] @ factor[chosen, :rank].T
        new = slice(rank, rank + len(chosen))
        factor[:, new] = linalg.solve_triangular(triangle, columns.T, lower=True).T
        left = np.maximum(left - np.einsum("ij,ij->i", factor[:, new], factor[:, new]), 0)
        left[chosen] = 0
        rank += len(chosen)
    return factor


def _kernel(X, Y):
    squares = cdist(X, Y, "sqeuclidean")
    squares *= -GAMMA
    return np.exp(squares, out=squares)


def _accepted(residual, proposed, rng):
    """Which proposals are kept, each with the odds of what is left; and their Cholesky factor."""
    size = len(residual)
    work, accepted = residual.copy(), []
    for i in range(size):
        if work[i, i] <= 0 or rng.random() * proposed[i] > work[i, i]:
            continue
        accepted.append(i)
        work[i:, i] /= np.sqrt(work[i, i])
        work[i + 1 :, i + 1 :] -= np.outer(work[i + 1 :, i], work[i + 1 :, i])
    return accepted, np.tril(work[np.ix_(accepted, accepted)])


def nystroem(X, k, seed):
    return Nystroem(gamma=GAMMA, n_components=k, random_state=seed).fit_transform(X)


def ours(X, k, seed, **options):
    return rp_cholesky(X, k, kernel="rbf", gamma=GAMMA, rng=seed, **options).factor


def simple(X, k, seed):
    return ours(X, k, seed, block_size=1)


def kernel_map(X, k, seed):
    return RPCholeskyKernelMap(k, gamma=GAMMA, random_state=seed).fit_transform(X)


OURS, MAP, SIMPLE = "rp_cholesky", "RPCholeskyKernelMap", "rp_cholesky, block_size=1"
NYSTROEM, SCRIPT = "Nystroem", "numpy, accelerated"
CONTESTANTS = {OURS: ours, MAP: kernel_map, SIMPLE: simple, NYSTROEM: nystroem, SCRIPT: script}
BARS = {(OURS, NYSTROEM): 2.0, (MAP, NYSTROEM): 2.0}
_PAIRS = (*BARS, (OURS, SCRIPT), (MAP, SCRIPT), (SIMPLE, SCRIPT))


def trace_error(factor):
    """Return what features leave of the trace of a kernel whose diagonal is one."""
    return 1 - float(np.sum(np.square(factor, dtype=float))) / len(factor)


def measured(X, k, rounds, names):
    """Return timings, with the medians of trace errors as results: a seed for each turn."""
    found = {name: [] for name in names}
    for name in names:
        CONTESTANTS[name](X[:500], 20, 0)  # compiles
    calls = {
        name: functools.partial(_draw, CONTESTANTS[name], X, k, errors)
        for name, errors in found.items()
    }
    timings = compare(calls, rounds=rounds)
    for name, timing in timings.items():
        timing.result = float(np.median([trace_error(factor) for factor in found[name]]))
    return timings


def _draw(call, X, k, found):
    found.append(call(X, k, len(found)))


def rows_of(bench, title, timings, clock="cpu", setting=""):
    for ours, peer in _PAIRS:
        if ours not in timings or peer not in timings:
            continue
        mine, theirs = timings[ours].result, timings[peer].result
        bar = BARS.get((ours, peer)) if clock == "cpu" else None
        good = mine <= LEFT and (peer != NYSTROEM or LESS * mine <= theirs)
        allowed = f"at most {LEFT} allowed" + f" and a {LESS}th of the peer's" * (peer == NYSTROEM)
        parts = setting, f"{theirs / mine:.1f} times less is left; {allowed}; {_SEEDS} draws"
        yield Row.of(
            title, ours, peer, timings, clock=clock, measure="relative trace error",
            quality=mine, peer_quality=theirs, valid=bench.judge(good), bar=bench.bar(bar),
            note="; ".join(filter(None, parts)),
        )  # fmt: skip


def _housing(bench):
    n, k = (2000, 100) if bench.quick else (20_000, 800)
    return problems.districts(bench, n), k, f"housing n={n} k={k}"


def housing_rows(bench):
    X, k, title = _housing(bench)
    yield from rows_of(bench, title, measured(X, k, _SEEDS, CONTESTANTS))


def race(quick, data):
    """Measure in this process, and print it."""
    X, k, title = _housing(Bench(quick, Path(data)))
    tell(measured(X, k, _SEEDS, (OURS, MAP, NYSTROEM, SCRIPT)), title)


def two_threads_rows(bench):
    """Compare on the wall clock."""
    bench.file(problems.HOUSING)
    timings, title = raced("_decomposition_kernels", bench.quick, str(bench.data.resolve()))
    yield from rows_of(bench, title, timings, "wall", NOTE)


# --- as many points as a kernel matrix is too large for


def large(name, n, k):
    """Print what a contestant takes in this process, and what it leaves of the trace."""
    call, X, kept = CONTESTANTS[name], problems.cloud(n), []
    call(X[:500], 20, 0)  # compiles
    start = time.process_time()
    peak = peak_beside(lambda: kept.append(call(X, k, 0)))
    print(json.dumps([time.process_time() - start, peak, trace_error(kept[0])]))


def large_rows(bench):
    """Compare time and memory, each in a process of its own."""
    n, k = (5000, 100) if bench.quick else (100_000, 1000)
    title, size = f"normals n={n} k={k}", 8 * n * k / 2**20
    found = {
        name: fresh(f"from benchmarks._decomposition_kernels import large; large{name, n, k}")[1]
        for name in (OURS, MAP, NYSTROEM)
    }
    theirs_s, theirs_mb, theirs = found[NYSTROEM]
    for name in (OURS, MAP):
        mine_s, mine_mb, mine = found[name]
        told = {"measure": "relative trace error", "quality": mine, "peer_quality": theirs}
        yield Row(title, name, NYSTROEM, mine_s, theirs_s, **told, note="one run each")
        if mine_mb is not None:
            yield Row.memory(
                title, name, NYSTROEM, (mine_s, mine_mb), (theirs_s, theirs_mb), **told,
                note=f"in units of the features, of {size:.0f} MB: {mine_mb / size:.2f} and "
                f"{theirs_mb / size:.2f}; the kernel matrix has {8 * n * n / 2**20:.0f} MB",
            )  # fmt: skip


SECTIONS = {
    "Randomly pivoted Cholesky": housing_rows,
    "Randomly pivoted Cholesky, two threads (wall time)": two_threads_rows,
    "Randomly pivoted Cholesky of many points": large_rows,
}
