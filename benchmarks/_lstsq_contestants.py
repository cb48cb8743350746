"""Solvers of least squares, ours and others', behind one signature.

Each takes a design and targets, and returns a :class:`Found`.
"""

from typing import NamedTuple

import numpy as np
from scipy import fft, linalg, sparse
from scipy.sparse.linalg import LinearOperator, lsmr, lsqr
from sklearn.linear_model import LinearRegression, Ridge

from lowrank_la.linear_model import SketchedLinearRegression, lstsq

_TIGHT = {"atol": 1e-14, "btol": 1e-14}
_TIMES = 12  # rows of a sketch, in columns of the design


class Found(NamedTuple):
    """Coefficients, and how often the rows were read where that is told."""

    x: np.ndarray
    n_passes: int | None = None


def ours(A, b, **options):
    result = lstsq(A, b, n_jobs=None, rng=0, **options)
    return Found(result.x, result.n_passes)


def csne(A, b):
    return ours(A, b, method="csne")


def presketch(A, b):
    return ours(A, b, method="presketch")


def spir(A, b):
    return ours(A, b, method="spir")


def fossils(A, b):
    return ours(A, b, method="fossils")


def sketch(A, b):
    return ours(A, b, method="sketch", sketch="srht", sketch_size=_TIMES * A.shape[1])


def estimator(A, b):
    model = SketchedLinearRegression(fit_intercept=False, random_state=0).fit(A, b)
    return Found(model.coef_, model.n_passes_)


def normal(A, b):
    """Solve the normal equations, as users write them."""
    return Found(linalg.cho_solve(linalg.cho_factor(A.T @ A), A.T @ b))


def numpy_lstsq(A, b):
    return Found(np.linalg.lstsq(A, b)[0])


def gelsd(A, b):
    return Found(linalg.lstsq(A, b, lapack_driver="gelsd")[0])


def gelsy(A, b):
    return Found(linalg.lstsq(A, b, lapack_driver="gelsy")[0])


def numpy_qr(A, b):
    Q, R = np.linalg.qr(A)
    return Found(linalg.solve_triangular(R, Q.T @ b))


def linear_regression(A, b):
    return Found(LinearRegression(fit_intercept=False).fit(A, b).coef_)


def ridge(A, b):
    return Found(Ridge(0.0, fit_intercept=False, solver="cholesky").fit(A, b).coef_)


def scipy_lsqr(A, b):
    return Found(lsqr(A, b, **_TIGHT, conlim=0, iter_lim=500)[0])


def scipy_lsmr(A, b):
    return Found(lsmr(A, b, **_TIGHT, conlim=0, maxiter=500)[0])


def clarkson_woodruff(A, b):
    """Sketch and solve; the same seed twice is the same sketch."""
    m = _TIMES * A.shape[1]
    SA, Sb = (linalg.clarkson_woodruff_transform(rows, m, 0) for rows in (A, b[:, None]))
    return Found(linalg.lstsq(SA, Sb[:, 0])[0])


def careful(A, b):
    """What a careful user writes with SciPy: a sketch's triangle, a start, LSQR."""
    S = csr_sparse_sign(_TIMES * A.shape[1], len(b), 8)
    Q, R = linalg.qr(S @ A, mode="economic")
    matrix = LinearOperator(
        A.shape,
        matvec=lambda y: A @ linalg.solve_triangular(R, y),
        rmatvec=lambda r: linalg.solve_triangular(R, A.T @ r, trans=1),
        dtype=np.float64,
    )
    y = lsqr(matrix, b, **_TIGHT, conlim=0, iter_lim=200, x0=Q.T @ (S @ b))[0]
    return Found(linalg.solve_triangular(R, y))


def csr_sparse_sign(m, n, nnz, seed=0):
    """A sparse sign matrix of m rows and n columns, with so many entries in a column."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(m, size=n * nnz, dtype=np.int32)
    signs = rng.choice((-1 / np.sqrt(nnz), 1 / np.sqrt(nnz)), size=n * nnz)
    indptr = np.arange(0, n * nnz + 1, nnz, dtype=np.int32)
    return sparse.csc_array((signs, rows, indptr), shape=(m, n)).tocsr()


def dct_sketch(m, A, seed=0):
    """A subsampled cosine transform of rows with random signs."""
    rng = np.random.default_rng(seed)
    signed = A * rng.choice((-1.0, 1.0), size=(len(A), 1))
    transformed = fft.dct(signed, axis=0, norm="ortho", overwrite_x=True)
    return transformed[rng.choice(len(A), m, replace=False)] * np.sqrt(len(A) / m)


OURS = {
    "lstsq": ours,
    "SketchedLinearRegression": estimator,
    "lstsq, csne": csne,
    "lstsq, presketch": presketch,
    "lstsq, spir": spir,
    "lstsq, fossils": fossils,
    "lstsq, sketch": sketch,
}
PEERS = {
    "normal equations": normal,
    "numpy lstsq": numpy_lstsq,
    "LinearRegression": linear_regression,
    "scipy gelsy": gelsy,
    "scipy gelsd": gelsd,
    "numpy qr": numpy_qr,
    "Ridge(0), cholesky": ridge,
    "scipy lsqr": scipy_lsqr,
    "scipy lsmr": scipy_lsmr,
    "clarkson_woodruff, lstsq": clarkson_woodruff,
    "sketch, QR, lsqr by hand": careful,
}
