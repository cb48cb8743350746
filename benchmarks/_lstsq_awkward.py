"""Real and awkward least squares: raw polynomials, one-hot columns, half the digits."""

import warnings

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import lsqr
from sklearn.linear_model import LinearRegression, Ridge

from lowrank_la.linear_model import SketchedLinearRegression, lstsq

from ._harness import Row, compare
from ._lstsq_contestants import OURS, PEERS
from ._lstsq_problems import exact, housing_cubic, one_hot, plain

HOUSING = "sketching/california_housing.csv.gz"
ESTIMATOR = "SketchedLinearRegression"
FIT = 1e-10  # error of fitted values that is allowed, of the largest
EXCESS = 1e-11  # of the residual norm over the least one
FLOAT32_ERROR = 1e-6


def polynomial_rows(bench):
    """Measure what solvers lose of the fit when columns have very different scales."""
    A, b = housing_cubic(bench.file(HOUSING))
    least, _ = exact(A, b)
    names = (
        "lstsq", ESTIMATOR, "numpy lstsq", "LinearRegression", "scipy gelsy", "Ridge(0), cholesky",
    )  # fmt: skip
    calls = {name: lambda call=(OURS | PEERS)[name]: call(A, b).x for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", linalg.LinAlgWarning)  # Ridge's, of the condition
        timings = compare(calls, bench.quick)
    excess = {name: linalg.norm(b - A @ timings[name].result) / least - 1 for name in names}
    for ours, peers in (("lstsq", names[2:]), (ESTIMATOR, names[3:4])):
        for peer in peers:
            yield Row.of(
                "housing, {}x{} monomials".format(*A.shape), ours, peer, timings,
                measure="excess of the residual norm", quality=excess[ours],
                peer_quality=excess[peer], valid=abs(excess[ours]) <= EXCESS,
                note=f"least residual norm {least:.10g}, by extended precision",
            )  # fmt: skip


def _lsqr(X, y, **options):
    """Coefficients of X, the intercept last."""
    return lsqr(sparse.hstack([X, np.ones((len(y), 1))], format="csr"), y, **options)[0]


def _fit(found, X):
    """Fitted values of a model, or of coefficients."""
    return found.predict(X) if hasattr(found, "predict") else X @ found[:-1] + found[-1]


def one_hot_rows(bench):
    """Compare fitted values on sparse columns, with an intercept."""
    n = 20_000 if bench.quick else 300_000
    for drop_first, title in ((False, "one-hot"), (True, "one-hot, first dropped")):
        X, y = one_hot(n, drop_first)
        dense = np.column_stack([X.toarray(), np.ones(len(y))])
        least = dense @ linalg.lstsq(dense, y, cond=1e-13)[0]
        del dense
        timings = compare(_sparse_calls(X, y), bench.quick)
        errors = {
            name: float(abs(_fit(timing.result, X) - least).max() / abs(least).max())
            for name, timing in timings.items()
        }
        for peer in list(timings)[1:]:
            yield Row.of(
                "{} {}x{}".format(title, *X.shape), ESTIMATOR, peer, timings,
                measure="error of fitted values", quality=errors[ESTIMATOR],
                peer_quality=errors[peer], valid=errors[ESTIMATOR] <= FIT,
                bar=bench.bar(5) if peer == "LinearRegression" else None,
                note=f"{X.nnz / len(y):.1f} numbers in a row; errors are relative to the largest "
                f"value, {FIT:g} allowed; our method {timings[ESTIMATOR].result.method_}",
            )  # fmt: skip


def _sparse_calls(X, y):
    return {
        ESTIMATOR: lambda: SketchedLinearRegression(random_state=0).fit(X, y),
        "LinearRegression": lambda: LinearRegression().fit(X, y),
        "Ridge(1e-8), sparse_cg": lambda: Ridge(1e-8, solver="sparse_cg").fit(X, y),
        "scipy lsqr": lambda: _lsqr(X, y),
        "scipy lsqr, 1e-14": lambda: _lsqr(X, y, atol=1e-14, btol=1e-14, conlim=0, iter_lim=2000),
    }


def float32_rows(bench):
    """Compare coefficients of float32 data with those of the same numbers in float64."""
    A, b, _ = plain(100_000 if bench.quick else 700_000, 8, np.float32, np.logspace(0, 2, 8))
    x = np.linalg.lstsq(A.astype(np.float64), b.astype(np.float64))[0]
    names = "numpy lstsq", "LinearRegression", "normal equations", "scipy gelsy"
    calls = {
        "lstsq": lambda: lstsq(A, b).x,
        ESTIMATOR: lambda: OURS[ESTIMATOR](A, b).x,
        **{name: lambda call=PEERS[name]: call(A, b).x for name in names},
    }
    timings = compare(calls, bench.quick)
    errors = {
        name: float(linalg.norm(timing.result - x) / linalg.norm(x))
        for name, timing in timings.items()
    }
    for ours, peers in (("lstsq", names), (ESTIMATOR, names[1:2])):
        kept = timings[ours].result.dtype == np.float32
        for peer in peers:
            yield Row.of(
                "float32 {}x{}".format(*A.shape), ours, peer, timings, measure="forward error",
                quality=errors[ours], peer_quality=errors[peer],
                valid=kept and errors[ours] <= FLOAT32_ERROR,
                note="against the solution in float64",
            )  # fmt: skip


SECTIONS = {
    "Raw polynomials of real data": polynomial_rows,
    "Sparse one-hot columns, one row of leverage one": one_hot_rows,
    "Many rows of float32": float32_rows,
}
