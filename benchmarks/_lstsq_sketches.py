"""Sketches alone: the largest error that they let an entry of a solution have, and their speed."""

import functools
import time
from typing import NamedTuple

import numpy as np
from scipy import linalg

from lowrank_la.sketch import SRHT, CountSketch, Gaussian, SparseSign

from ._harness import Row, compare
from ._lstsq_contestants import csr_sparse_sign, dct_sketch
from ._lstsq_problems import haar, spikes

ENTRY_WISE = 1.2  # what the 95th percentile may be, of sketches with the guarantee
SKETCHES = {
    "SRHT": SRHT,
    "Gaussian": Gaussian,
    "SparseSign, 8": functools.partial(SparseSign, nnz=8),
    "SparseSign, 4": functools.partial(SparseSign, nnz=4),
    "SparseSign, 2": functools.partial(SparseSign, nnz=2),
    "CountSketch": CountSketch,
}
GUARANTEED = ("SRHT", "Gaussian")
UNIFORM = "uniform rows"


def sketched(name, m, rows, seed):
    """Return m rows that stand for all."""
    if name == UNIFORM:
        chosen = np.random.default_rng(seed).choice(len(rows), m, replace=False)
        return rows[chosen]
    return SKETCHES[name](m, len(rows), random_state=seed) @ rows


class Draws(NamedTuple):
    """CPU seconds of a draw, and 95th percentiles.

    `entry` is of the ratio of the largest error of an entry to the bound with eps = 1, and
    `fit` of the error of the fitted values, in units of the residual's norm.
    """

    cpu_s: float
    entry: float
    fit: float


def drawn(name, A, b, draws):
    """Solve the sketched problem for many seeds."""
    d = A.shape[1]
    x = linalg.lstsq(A, b)[0]
    residual = linalg.norm(b - A @ x)
    unit = residual / linalg.svdvals(A)[-1] / np.sqrt(d)
    rows, errors = np.column_stack([A, b]), []
    sketched(name, 12 * d, rows, 0)  # compiles
    start = time.process_time()
    for seed in range(draws):
        few = sketched(name, 12 * d, rows, seed)
        errors.append(linalg.lstsq(few[:, :d], few[:, d])[0] - x)
    seconds = time.process_time() - start
    entries = [abs(error).max() / unit for error in errors]
    fits = [linalg.norm(A @ error) / residual for error in errors]
    return Draws(seconds / draws, *(float(np.quantile(ratio, 0.95)) for ratio in (entries, fits)))


def entry_rows(bench, count):
    """Compare the largest errors of entries on a problem that is made to break sketches."""
    A, b = spikes(count=count)
    draws = 20 if bench.quick else 100
    found = {name: drawn(name, A, b, draws) for name in (*SKETCHES, UNIFORM)}
    mine = found["SRHT"]
    for name, theirs in list(found.items())[1:]:
        yield Row(
            "spike of {}, {}x{}".format(count, *A.shape), "SRHT", name, mine.cpu_s, theirs.cpu_s,
            measure="p95 of the entry-wise ratio", quality=mine.entry, peer_quality=theirs.entry,
            valid=bench.judge(max(found[k].entry for k in GUARANTEED) <= ENTRY_WISE),
            note=f"p95 of the error of the fit: {mine.fit:.2f} and {theirs.fit:.2f}; sketches of "
            f"12 d rows, {draws} draws; at most {ENTRY_WISE:g} of SRHT and Gaussian",
        )  # fmt: skip


def kernel_rows(bench, n, d):
    """Compare the time of a sketch, and how far it is from an isometry."""
    problem = haar(n // 50 if bench.quick else n, d, 1e3, 0.0)
    A, m = problem.A, 12 * d
    calls = {
        name: lambda name=name: sketched(name, m, A, 0)
        for name in ("SRHT", "SparseSign, 8", "SparseSign, 4", "CountSketch")
    } | {
        "scipy dct, signs, rows": lambda: dct_sketch(m, A),
        "scipy csr, 8: build, product": lambda: csr_sparse_sign(m, len(A), 8) @ A,
        "scipy csr, 4: build, product": lambda: csr_sparse_sign(m, len(A), 4) @ A,
        "clarkson_woodruff_transform": lambda: linalg.clarkson_woodruff_transform(A, m, 0),
        "A.T @ A": lambda: A.T @ A,
    }
    timings = compare(calls, bench.quick, rounds=3)
    ours, peers = list(calls)[:4], list(calls)[4:]
    pairs = list(zip(ours, peers, strict=False)) + [(name, "A.T @ A") for name in ours]
    whitener = problem.V / problem.s
    far = {name: distortion(timings[name].result @ whitener) for name in ours + peers[:4]}
    for name, peer in pairs:
        yield Row.of(
            f"{len(A)}x{d} to {m} rows", name, peer, timings, measure="distortion",
            quality=far[name], peer_quality=far.get(peer),
            note="largest deviation of a singular value of the sketched basis from one",
        )  # fmt: skip


def distortion(basis):
    return float(abs(linalg.svdvals(basis) - 1).max())


SECTIONS = {
    "Entry-wise error, residual on one row": functools.partial(entry_rows, count=1),
    "Entry-wise error, residual on twelve rows": functools.partial(entry_rows, count=12),
    "Sketches of 200 columns": functools.partial(kernel_rows, n=5 * 10**5, d=200),
    "Sketches of 50 columns": functools.partial(kernel_rows, n=10**6, d=50),
}
