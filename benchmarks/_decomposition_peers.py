"""Ways to choose rows and columns that others offer, or that users write, behind one signature.

Each takes a matrix, a number and a seed, and returns a :class:`Chosen`. And what such a choice
is worth.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.linalg import interpolative as scipy_interpolative
from sklearn.utils.extmath import randomized_svd

from lowrank_la.decomposition import CUR, cur

_MARGIN = 10  # rows of a sketch beyond the number of columns


class Chosen(NamedTuple):
    """Rows and columns; none where a method has only columns, or is no choice."""

    rows: np.ndarray | None
    columns: np.ndarray | None
    error: float | None = None  # of C U R, if the contestant has computed it


# --- ours


def ours(A, k, seed, **options):
    result = cur(A, k, rng=seed, **options)
    return Chosen(result.row_indices, result.column_indices)


def ours_cpqr(A, k, seed):
    return ours(A, k, seed, selection="cpqr")


def ours_in_full(A, k, seed):
    """Compute the core and the error, too."""
    result = cur(A, k, rng=seed)
    _ = result.core
    return Chosen(result.row_indices, result.column_indices, result.error)


def estimator(A, k, seed):
    model = CUR(k, random_state=seed).fit(A)
    return Chosen(model.row_indices_, model.column_indices_)


# --- of others


def scipy_id(A, k, seed):
    return Chosen(None, scipy_interpolative.interp_decomp(A, k, rng=seed)[0][:k])


def pivoted_qr(A, k, seed):
    columns = linalg.qr(A, mode="r", pivoting=True)[1][:k]
    return Chosen(linalg.qr(A[:, columns].T, mode="r", pivoting=True)[1][:k], columns)


def numpy_lupp(A, k, seed):
    """Take the pivots of LU factorisations: of a sketch, then of the columns chosen."""
    columns = _lu_pivots(_sketch(A, k, seed).T)[:k]
    return Chosen(_lu_pivots(A[:, columns])[:k], columns)


def _sketch(A, k, seed):
    return np.random.default_rng(seed).standard_normal((k + _MARGIN, len(A))) @ A


def _lu_pivots(tall):
    swaps = linalg.lu_factor(tall, check_finite=False)[1]
    order = np.arange(len(tall))
    for i, j in enumerate(swaps):
        order[[i, j]] = order[[j, i]]
    return order


def numpy_lupp_in_full(A, k, seed):
    """Compute the core, as factors, and the error, too."""
    rows, columns = numpy_lupp(A, k, seed)[:2]
    basis, row_basis = linalg.qr(A[:, columns], mode="economic")[0], _row_basis(A, rows)
    middle = basis.T @ A @ row_basis
    return Chosen(rows, columns, linalg.norm(A - basis @ middle @ row_basis.T))


def numpy_cpqr(A, k, seed):
    """Pivot the same sketch by QR."""
    columns = linalg.qr(_sketch(A, k, seed), mode="r", pivoting=True)[1][:k]
    return Chosen(linalg.qr(A[:, columns].T, mode="r", pivoting=True)[1][:k], columns)


def svd_only(A, k, seed):
    U, values, Vt = randomized_svd(A, k, random_state=seed)
    return Chosen(None, None, linalg.norm(A - (U * values) @ Vt))


def deim(A, k, seed):
    """Take the pivots of approximate singular vectors: DEIM chooses those of LU factorisations."""
    U, _, Vt = randomized_svd(A, k, random_state=seed)
    return Chosen(_lu_pivots(U)[:k], _lu_pivots(Vt.T)[:k])


def leverage(A, k, seed):
    U, _, Vt = randomized_svd(A, k, random_state=seed)
    rng = np.random.default_rng(seed)
    draw = (rng.choice(len(V), k, replace=False, p=(V**2).sum(axis=1) / k) for V in (U, Vt.T))
    return Chosen(*draw)


def uniform(A, k, seed):
    rng = np.random.default_rng(seed)
    return Chosen(*(rng.choice(n, k, replace=False) for n in A.shape))


def matter(A, k, seed):
    from skmatter import feature_selection, sample_selection

    options = {"n_to_select": k, "recompute_every": 0, "random_state": seed}
    rows, columns = (part.CUR(**options).fit(A) for part in (sample_selection, feature_selection))
    return Chosen(rows.selected_idx_, columns.selected_idx_)


CUR_, ESTIMATOR, CPQR, FULL = "cur", "CUR.fit", "cur, cpqr", "cur, core and error"
SCIPY, QR2, LUPP = "scipy interp_decomp", "scipy qr, pivoting, twice", "numpy: sketch, LU"
SKETCH_CPQR, LUPP_FULL = "numpy: sketch, pivoted QR", "numpy: sketch, LU, core, error"
SVD, DEIM, LEVERAGE = "randomized_svd, error", "numpy: DEIM", "numpy: leverage"
UNIFORM, MATTER = "numpy: uniform", "skmatter CUR"
OURS = {CUR_: ours, ESTIMATOR: estimator, CPQR: ours_cpqr, FULL: ours_in_full}
PEERS = {
    SCIPY: scipy_id, QR2: pivoted_qr, LUPP: numpy_lupp, SKETCH_CPQR: numpy_cpqr,
    LUPP_FULL: numpy_lupp_in_full, SVD: svd_only, DEIM: deim, LEVERAGE: leverage,
    UNIFORM: uniform, MATTER: matter,
}  # fmt: skip


# --- what a choice is worth


class Errors(NamedTuple):
    """Frobenius norms of what is missing: with the columns only, with both, with the cross core."""

    columns: float
    optimal: float | None = None
    cross: float | None = None


def errors(A, chosen):
    """Return the errors of rows and columns."""
    if chosen.columns is None:
        return Errors(chosen.error, chosen.error)
    C = A[:, chosen.columns]
    basis = linalg.qr(C, mode="economic")[0]
    shares = basis.T @ A
    of_columns = linalg.norm(A - basis @ shares)
    if chosen.rows is None:
        return Errors(of_columns)
    row_basis = _row_basis(A, chosen.rows)
    optimal = linalg.norm(A - basis @ (shares @ row_basis) @ row_basis.T)
    mixing = linalg.lstsq(C[chosen.rows], A[chosen.rows])[0]
    return Errors(of_columns, optimal, linalg.norm(A - C @ mixing))


def _row_basis(A, rows):
    return linalg.qr(A[rows].T, mode="economic")[0]
