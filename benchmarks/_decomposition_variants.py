"""Tolerances, interpolative decompositions, sparse data: ours against SciPy, scikit-learn."""

import functools
from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.linalg import interpolative as scipy_interpolative
from scipy.sparse import linalg as sparse_linalg
from sklearn.decomposition import TruncatedSVD

from lowrank_la.decomposition import cur, interpolative

from . import _decomposition_problems as problems
from ._decomposition_peers import SCIPY, Chosen, errors
from ._harness import Row, compare
from ._lstsq_races import in_turns

DECAYS = (0.5, 0.8, 0.9, 0.95)
TOLERANCES = tuple(10.0**-digits for digits in range(1, 9))
MORE = 1.4  # of the least rank that can meet a tolerance, what is allowed
_GRAPH_K, _WORDS_K = 200, 100


def least_rank(values, tol):
    """Return the rank of the best approximation that meets a tolerance."""
    tails = np.sqrt(np.cumsum(values[::-1] ** 2))[::-1]
    return int(np.count_nonzero(tails > tol * tails[0]))


class Met(NamedTuple):
    """The rank that was found for a tolerance, and the error over this."""

    rank: int
    share: float


def tolerance_rows(bench):
    """Compare ranks, and the time of those who choose them."""
    decays, tolerances = (DECAYS[:2], TOLERANCES[::3]) if bench.quick else (DECAYS, TOLERANCES)
    for decay in decays:
        A, values = problems.geometric(decay, bench.quick)
        for tol in tolerances:
            yield tolerance_row(A, values, tol, f"decay {decay:g} {A.shape[0]}x{A.shape[1]}")


def tolerance_row(A, values, tol, title):
    """Compare the function with the decomposition of SciPy, which has columns only."""
    calls = {
        "cur, tol": lambda: cur(A, tol=tol, rng=0),
        SCIPY: lambda: scipy_interpolative.interp_decomp(A, tol, rng=0),
    }
    timings = compare(calls, rounds=3)
    mine, (k, order, _) = (timings[name].result for name in calls)
    chosen = Chosen(mine.row_indices, mine.column_indices)
    ours = Met(len(chosen.columns), errors(A, chosen).optimal / (tol * linalg.norm(values)))
    columns = Chosen(None, order[:k])
    theirs = Met(int(k), errors(A, columns).columns / (tol * linalg.norm(values)))
    best = least_rank(values, tol)
    return Row.of(
        f"{title} tol={tol:.0e}", "cur, tol", SCIPY, timings, measure="rank over the least one",
        quality=ours.rank / best, peer_quality=theirs.rank / best,
        valid=bool(mine.converged and ours.rank <= MORE * best and ours.share <= 1),
        note=f"ranks {ours.rank} and {theirs.rank}, the least {best}, {MORE:g} times allowed; "
        f"errors over the tolerance {ours.share:.2g} and, with columns only, {theirs.share:.2g}"
        + "; WARNED that it is not met" * (not mine.converged),
    )  # fmt: skip


# --- interpolative decompositions


def scipy_coefficients(A, k, rng):
    order, beyond = scipy_interpolative.interp_decomp(A, k, rng=rng)
    return order[:k], scipy_interpolative.reconstruct_interp_matrix(order, beyond)


def our_coefficients(A, k, rng):
    found = interpolative(A, k, rng=rng)
    return found.indices, found.coefficients


def interpolative_rows(bench):
    """Compare all columns as combinations of some."""
    for name, make, k in (
        ("poly", problems.poly, 100),
        ("kernel", problems.kernel, 200),
        ("photo", problems.photo, 60),
    ):
        A, k = make(bench.quick), min(k, 30) if bench.quick else k
        our_coefficients(A[:200], 10, 0)  # compiles
        calls = {
            "interpolative": functools.partial(our_coefficients, A, k, 0),
            SCIPY: functools.partial(scipy_coefficients, A, k, 0),
        }
        timings = in_turns(calls, {"interpolative"}, 3 if A.size > 10**6 else 9)
        best = np.sqrt(np.sum(linalg.svdvals(A)[k:] ** 2)) if A.size < 10**6 else None
        mine, theirs = (
            float(linalg.norm(A - A[:, columns] @ coefficients) / linalg.norm(A))
            for columns, coefficients in (timing.result for timing in timings.values())
        )
        yield Row.of(
            "{} {}x{} k={}".format(name, *A.shape, k), *calls, timings,
            measure="relative error", quality=mine, peer_quality=theirs,
            note=f"{mine / theirs:.2f} times the error of the peer"
            + (f"; the least of rank {k} is {best / linalg.norm(A):.3g}" if best else ""),
        )  # fmt: skip


# --- sparse matrices


def truncated(A, k):
    """Return what scikit-learn fits, and the left singular vectors in its units."""
    found = TruncatedSVD(k, random_state=0)
    return found, found.fit_transform(A)


def sparse_rows(bench):
    """Compare what is kept of sparse data, and how well it approximates them."""
    for name, make, k in (
        ("words", problems.words, _WORDS_K),
        ("friends", problems.friends, _GRAPH_K),
    ):
        A = make(bench)
        if bench.quick:
            A, k = A[:1000, :1000], 30
        calls = {
            "cur": lambda: cur(A, k, rng=0),  # noqa: B023
            "cur, error": lambda: _with_error(A, k),  # noqa: B023
            "TruncatedSVD": lambda: truncated(A, k),  # noqa: B023
        }
        timings = compare(calls, quick=True)
        norm, (model, scores) = sparse_linalg.norm(A), timings["TruncatedSVD"].result
        theirs = np.sqrt(norm**2 - linalg.norm(scores) ** 2) / norm
        result = timings["cur, error"].result
        held = result.columns.nnz + result.rows.nnz
        for ours in ("cur", "cur, error"):
            yield Row.of(
                "{} {}x{} k={}".format(name, *A.shape, k), ours, "TruncatedSVD", timings,
                measure="relative error", quality=result.error / norm, peer_quality=float(theirs),
                note=f"C and R hold {held} numbers, the core {k * k}; "
                f"the singular vectors {model.components_.size + scores.size}, the data {A.nnz}",
            )  # fmt: skip


def _with_error(A, k):
    result = cur(A, k, rng=0)
    _ = result.error
    return result


SECTIONS = {
    "CUR up to a tolerance": tolerance_rows,
    "Interpolative decomposition": interpolative_rows,
    "CUR of sparse data": sparse_rows,
}
