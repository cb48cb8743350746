"""The problems that least-squares solvers are compared on, and how wrong a solution is."""

from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse

_ROWS = 8192  # at a time


class Problem(NamedTuple):
    """A design of full rank, targets, the true coefficients, and its singular value decomposition.

    The columns of V are the right singular vectors.
    """

    A: np.ndarray  # (n, d)
    b: np.ndarray  # (n,)
    x: np.ndarray  # (d,)
    s: np.ndarray  # (d,)
    V: np.ndarray  # (d, d)

    def forward_error(self, x):
        """Distance of coefficients from the true ones, in units of their norm."""
        return float(linalg.norm(x - self.x) / linalg.norm(self.x))

    def backward_error(self, x):
        """Karlson and Walden's estimate, in units of the Frobenius norm of A."""
        frobenius = linalg.norm(self.s)
        theta = frobenius / linalg.norm(self.b)
        gradient, squares = np.zeros(len(x)), 0.0
        for rows in _blocks(len(self.b)):
            r = self.b[rows] - self.A[rows] @ x
            gradient += self.A[rows].T @ r
            squares += r @ r
        fitted = 1 + (theta * linalg.norm(x)) ** 2
        whitened = self.V.T @ gradient / np.sqrt(self.s**2 + theta**2 * squares / fitted)
        return float(linalg.norm(whitened) * theta / np.sqrt(fitted) / frobenius)


def _blocks(n):
    return (slice(lo, min(lo + _ROWS, n)) for lo in range(0, n, _ROWS))


def _gram(A):
    """Gram matrix: short sums, whose rounding does not grow with the rows."""
    return sum(A[rows].T @ A[rows] for rows in _blocks(len(A)))


def _multiply(A, matrix):
    """Multiply from the right, in place: there is no room for two of the largest problems."""
    for rows in _blocks(len(A)):
        A[rows] = A[rows] @ matrix


def _normals(n, d, rng):
    A = np.empty((n, d))
    for rows in _blocks(n):
        rng.standard_normal(out=A[rows])
    return A


def _orthogonal(d, rng):
    return linalg.qr(rng.standard_normal((d, d)))[0]


def haar(n, d, cond, res, seed=0):
    """Haar singular vectors, singular values from 1 to 1 / cond, a residual of norm res.

    (Epperly's problems.) Normals are well conditioned: Cholesky's factorisation of their Gram
    matrix orthonormalises them, the second time to rounding.
    """
    rng = np.random.default_rng(seed)
    A = _normals(n, d, rng)
    for _ in range(2):
        _multiply(A, linalg.inv(linalg.cholesky(_gram(A))))
    u = rng.standard_normal(n)
    for _ in range(2):
        u -= A @ (A.T @ u)
    x = rng.standard_normal(d)
    x /= linalg.norm(x)
    s, V = np.logspace(0, -np.log10(cond), d), _orthogonal(d, rng)
    _multiply(A, (V * s).T)
    return Problem(A, A @ x + res / linalg.norm(u) * u, x, s, V)


def coherent(n, d, res=1e-3, seed=0):
    """Rows of which d have leverage one, nearly; condition 1e3."""
    rng = np.random.default_rng(seed)
    A = _normals(n, d, rng)
    A *= 1e-2
    A[rng.choice(n, d, replace=False)] = 1e3 * np.eye(d)
    triangle = linalg.qr(A, mode="r")[0][:d]
    right = np.logspace(0, -3, d)[:, None] * _orthogonal(d, rng).T
    _multiply(A, right)
    _, s, Vt = linalg.svd(triangle @ right)
    x = rng.standard_normal(d)
    u = rng.standard_normal(n)
    fit = linalg.lstsq(A, u, lapack_driver="gelsy")[0]
    u -= A @ fit
    size = res * linalg.norm(A @ x) / linalg.norm(u)
    return Problem(A, A @ x + size * u, x, s, Vt.T)


def plain(n, d, dtype=np.float64, scales=1.0, noise=1.0, seed=0):
    """Normals in columns of some scales; targets, and the true coefficients without their noise."""
    rng = np.random.default_rng(seed)
    A = _normals(n, d, rng)
    A *= scales
    x = rng.standard_normal(d)
    b = A @ x + noise * rng.standard_normal(n)
    return A.astype(dtype, copy=False), b.astype(dtype, copy=False), x


def spikes(n=8192, d=64, count=1, noise=1e-3, seed=0):
    """Unit rows above small ones; the residual lives on a few of these: what breaks sketches."""
    rng = np.random.default_rng(seed)
    A = noise * rng.standard_normal((n, d))
    A[:d] = np.eye(d)
    b = A @ rng.standard_normal(d)
    b[d:] += 0.1 / np.sqrt(n) * rng.standard_normal(n - d)
    b[rng.choice(np.arange(d, n), count, replace=False)] += 1 / np.sqrt(count)
    return A, b


def one_hot(n, drop_first=False, levels=(16, 3, 105), seed=0):
    """Four columns of numbers and one for each level of three categories, one level seen once.

    The columns of each category add up to ones, unless the first of them is dropped.
    """
    rng = np.random.default_rng(seed)
    numbers = rng.standard_normal((n, 4)) * (1.0, 10.0, 100.0, 1000.0)
    parts = [sparse.csr_array(numbers)]
    for k in levels:
        rare = k == max(levels)  # its last level is that of one row, of leverage one
        frequencies = 1 / np.arange(1, k + 1 - rare)
        level = rng.choice(len(frequencies), n, p=frequencies / frequencies.sum())
        if rare:
            level[n // 2] = k - 1
        part = sparse.csc_array((np.ones(n), (np.arange(n), level)), shape=(n, k))
        parts.append(part[:, drop_first:])
    X = sparse.hstack(parts, format="csr")
    return X, X @ rng.standard_normal(X.shape[1]) + rng.standard_normal(n)


def housing_cubic(path):
    """All monomials to degree three of eight columns, and dummies: as raw as users have them."""
    from sklearn.preprocessing import PolynomialFeatures

    table = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
    *names, target, category = table.dtype.names
    numbers = np.column_stack([table[name] for name in names])
    table, numbers = (rows[np.isfinite(numbers).all(axis=1)] for rows in (table, numbers))
    cubic = PolynomialFeatures(3).fit_transform(numbers)
    levels = np.unique(table[category])[1:]
    return np.column_stack([cubic, table[category][:, None] == levels]), table[target].astype(float)


def exact(A, b):
    """Residual norm and fitted values: a projection with more digits than doubles have.

    A triangular factor makes the columns orthonormal but for rounding; then what is left of
    the targets is projected again and again.
    """
    scaled = A / linalg.norm(A, axis=0)
    inverse = linalg.inv(linalg.qr(scaled, mode="r")[0][: A.shape[1]])
    basis = scaled.astype(np.longdouble) @ inverse.astype(np.longdouble)
    r = b.astype(np.longdouble)
    for _ in range(4):
        r -= basis @ (basis.T @ r)
    return float(np.sqrt(r @ r)), (b - r).astype(float)
