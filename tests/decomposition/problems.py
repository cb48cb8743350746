"""Matrices to choose rows and columns of."""

import numpy as np
from hypothesis import strategies as st
from scipy import linalg

from tests.strategies import integers

RNG = np.random.default_rng(0)
ELIMINATIONS = ["lupp", "cpqr"]  # take a tolerance
PIVOTED = [*ELIMINATIONS, "deim"]  # find the rank
SELECTIONS = [*PIVOTED, "leverage", "uniform"]
SKETCHES = [None, "sparse_sign", "gaussian", "srht", "countsketch"]
CORES = ["optimal", "cross"]
seeds = st.integers(0, 2**32 - 1)


@st.composite
def matrices(draw, max_n=12):
    """Matrices of small integers, of any rank: sparse, graded by powers of two, or neither."""
    m, n, rank = (draw(st.integers(1, most)) for most in (max_n, max_n, 6))
    A = draw(integers((m, rank), -3, 3)) @ draw(integers((rank, n), -3, 3))
    kind = draw(st.sampled_from(["any", "sparse", "graded"]))
    if kind == "sparse":
        A = A * draw(integers((m, n), 0, 1))
    steps = draw(integers(n, -8, 0)) if kind == "graded" else 0
    return np.ldexp(A.astype(np.float64), steps)


def spectrum(m, n, values, seed=0):
    """A matrix with these singular values, and random singular vectors."""
    rng = np.random.default_rng(seed)
    left, right = (linalg.qr(rng.normal(size=(d, len(values))), mode="economic")[0] for d in (m, n))
    return left * values @ right.T


def geometric(m, n, ratio, seed=0):
    return spectrum(m, n, ratio ** np.arange(min(m, n, 200)), seed)


def kahan(n, angle=1.2):
    """Triangle whose columns pivoted QR leaves as they are, far from the best order."""
    s, c = np.sin(angle), np.cos(angle)
    return s ** np.arange(n)[:, None] * (np.eye(n) - c * np.triu(np.ones((n, n)), 1))


def cauchy(n):
    return 1 / (np.arange(n)[:, None] + np.arange(n) + 1)


def strong_rows(m, n, k, noise=0.0):
    """All that matters is in k rows."""
    rng = np.random.default_rng(1)
    A = noise * rng.normal(size=(m, n))
    A[rng.choice(m, k, replace=False)] += rng.normal(size=(k, n))
    return A


def few_entries(m, n, k):
    """Rank k, by k entries of rows and columns of their own."""
    rng = np.random.default_rng(2)
    A = np.zeros((m, n))
    A[rng.choice(m, k, replace=False), rng.choice(n, k, replace=False)] = rng.normal(size=k)
    return A


A = RNG.normal(size=(30, 20))
HARD = {  # matrix, and its rank in double precision; None where it decays below rounding
    "Kahan": (kahan(60), None),
    "Kahan's transpose": (kahan(60).T, None),
    "Hilbert": (cauchy(40), None),
    "graded columns": (A * np.logspace(0, -18, 20), None),
    "graded rows": (A * np.logspace(0, -25, 30)[:, None], None),
    "graded both ways": (A * np.logspace(8, -8, 20) * np.logspace(-8, 8, 30)[:, None], None),
    "diagonal": (np.diag(0.5 ** np.arange(30.0)), 30),
    "identity": (np.eye(25), 25),
    "a few entries": (few_entries(200, 150, 7), 7),
    "strong rows": (strong_rows(200, 40, 6), 6),
    "zero columns": (np.c_[A[:, :5], np.zeros((30, 9)), A[:, 5:8]], 8),
    "zero rows": (np.r_[np.zeros((40, 20)), A[:6]], 6),
    "duplicated columns": (np.c_[A[:, :4], A[:, :4], -A[:, :3]], 4),
    "duplicated rows": (np.tile(A[:5], (30, 1)), 5),
    "a single row": (A[:1], 1),
    "a single column": (A[:, :1], 1),
    "a single entry": (A[:1, :1], 1),
    "constant": (np.full((30, 20), 7.0), 1),
    "low rank": (A[:, :4] @ A[:4], 4),
    "tall": (RNG.normal(size=(400, 6)), 6),
    "wide": (RNG.normal(size=(6, 400)), 6),
}


def assembled(result):
    return result.columns @ result.coefficients


def assert_same(found, expected, rtol=1e-6):
    """The same choice, and the same errors to rounding."""
    np.testing.assert_array_equal(found.row_indices, expected.row_indices)
    np.testing.assert_array_equal(found.column_indices, expected.column_indices)
    np.testing.assert_allclose(found.error, expected.error, rtol=rtol, atol=1e-12)
