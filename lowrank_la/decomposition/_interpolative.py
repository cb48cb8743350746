"""Columns of a matrix in which the others can be written, and rows likewise."""

from dataclasses import dataclass

import numpy as np

from .._support.blas import single_threaded_blas
from ._core import spanned
from ._cur import choose


@dataclass(frozen=True, eq=False)
class InterpolativeResult:
    """Columns of a matrix, and what the others are made of: ``A ~ A[:, indices] @ coefficients``.

    Attributes
    ----------
    indices : ndarray of shape (k,)
        Columns, the most important ones first.
    coefficients : array of shape (k, n)
        The identity in the columns chosen; in the precision of A, on the GPU if A is there.
    """

    indices: np.ndarray
    coefficients: np.ndarray


def interpolative(A, k=None, *, tol=None, selection="lupp", sketch=None, device=None, rng=None):
    """Interpolative decomposition: all columns of a matrix as combinations of some of them.

    Parameters
    ----------
    A : array_like or sparse matrix of shape (m, n)
    k : int, default=None
        Columns to choose; the most of them with a `tol`.
    tol : float, default=None
        Choose as many as leave a Frobenius norm of this fraction of A's; below 1. For
        the selections "lupp" and "cpqr".
    selection : {"lupp", "cpqr", "deim", "leverage", "uniform"}, default="lupp"
        As in :func:`cur`.
    sketch : {"sparse_sign", "gaussian", "srht", "countsketch"}, default=None
        Law of the sketch; None takes a Gaussian one of few rows, else sparse signs.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where A lies. A sparse A is for the CPU only.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None
        Of the sketches and draws.

    Returns
    -------
    result : InterpolativeResult

    Raises
    ------
    ValueError
        If A is empty, has an entry that is NaN or infinite, an argument is out of its range, or
        neither k nor a tolerance is given.

    Warns
    -----
    UserWarning
        If fewer than k columns were independent of each other.
    ConvergenceWarning
        If the tolerance is not met with k columns, or cannot be for rounding.

    See Also
    --------
    scipy.linalg.interpolative.interp_decomp : The same by pivoted QR.
    cur : Rows, too.

    Notes
    -----
    The coefficients make the error least for the columns chosen, ``pinv(A[:, indices]) @ A``: that
    takes ``2 m n k`` operations, much more than the choice of the columns, for which A is read
    once with 4 additions for each entry, and some ``n k**2`` operations follow.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.decomposition import interpolative
    >>> A = 1 / (1 + np.add.outer(np.arange(300.0), np.arange(200.0)))
    >>> result = interpolative(A, 12, rng=0)
    >>> bool(np.abs(A - A[:, result.indices] @ result.coefficients).max() < 1e-7)
    True
    """
    matrix, result = choose(A, k, tol, selection, sketch, device, rng)
    columns = result.column_indices
    return InterpolativeResult(columns, _coefficients(matrix, columns))


@single_threaded_blas()
def _coefficients(matrix, columns):
    """Write all columns in terms of some, by least squares."""
    coefficients = spanned(matrix, columns)[1]
    coefficients[:, columns] = matrix.xp.eye(len(columns))
    return matrix.home(coefficients)


def select_columns(A, k=None, *, tol=None, selection="lupp", sketch=None, device=None, rng=None):
    """Choose columns of which all others are combinations, nearly.

    Parameters
    ----------
    A : array_like or sparse matrix of shape (m, n)
    k : int, default=None
        Columns to choose; the most of them with a `tol`.
    tol : float, default=None
        Choose as many as leave a Frobenius norm of this fraction of A's; below 1. For
        the selections "lupp" and "cpqr".
    selection : {"lupp", "cpqr", "deim", "leverage", "uniform"}, default="lupp"
        As in :func:`cur`.
    sketch : {"sparse_sign", "gaussian", "srht", "countsketch"}, default=None
        Law of the sketch; None takes a Gaussian one of few rows, else sparse signs.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where A lies. A sparse A is for the CPU only.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None
        Of the sketches and draws.

    Returns
    -------
    indices : ndarray of shape (k,)
        The most important ones first.

    Raises
    ------
    ValueError
        If A is empty, has an entry that is NaN or infinite, an argument is out of its range, or
        neither k nor a tolerance is given.

    Warns
    -----
    UserWarning
        If fewer than k columns were independent of each other.
    ConvergenceWarning
        If the tolerance is not met with k columns, or cannot be for rounding.

    See Also
    --------
    ColumnSubsetSelector : The estimator.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.decomposition import select_columns
    >>> A = np.outer(np.arange(5.0), [1, 2, 3, 4]) + np.outer(np.ones(5), [0, 5, 0, 0])
    >>> sorted(select_columns(A, 2, rng=0).tolist())
    [1, 3]
    """
    return choose(A, k, tol, selection, sketch, device, rng)[1].column_indices


def select_rows(A, k=None, *, tol=None, selection="lupp", sketch=None, device=None, rng=None):
    """Choose rows of which all others are combinations, nearly.

    Parameters
    ----------
    A : array_like or sparse matrix of shape (m, n)
    k : int, default=None
        Rows to choose; the most of them with a `tol`.
    tol : float, default=None
        Choose as many as leave a Frobenius norm of this fraction of A's; below 1. For
        the selections "lupp" and "cpqr".
    selection : {"lupp", "cpqr", "deim", "leverage", "uniform"}, default="lupp"
        As in :func:`cur`.
    sketch : {"sparse_sign", "gaussian", "srht", "countsketch"}, default=None
        Law of the sketch; None takes a Gaussian one of few columns, else sparse signs.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where A lies. A sparse A is for the CPU only.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None
        Of the sketches and draws.

    Returns
    -------
    indices : ndarray of shape (k,)
        The most important ones first.

    Raises
    ------
    ValueError
        If A is empty, has an entry that is NaN or infinite, an argument is out of its range, or
        neither k nor a tolerance is given.

    Warns
    -----
    UserWarning
        If fewer than k rows were independent of each other.
    ConvergenceWarning
        If the tolerance is not met with k rows, or cannot be for rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.decomposition import select_rows
    >>> A = np.outer([1, 2, 3, 4], np.arange(5.0)) + np.outer([0, 5, 0, 0], np.ones(5))
    >>> sorted(select_rows(A, 2, rng=0).tolist())
    [1, 3]
    """
    return choose(A, k, tol, selection, sketch, device, rng, rows=True)[1].column_indices
