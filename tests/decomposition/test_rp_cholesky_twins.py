"""The CUDA twins of randomly pivoted Cholesky do what the CPU's do, and find the same pivots."""

import numpy as np
import pytest

from lowrank_la.decomposition import (
    RPCholeskyKernelMap,
    _rp_cpu,
    _rp_cuda,
    rp_cholesky,
)
from tests.strict import Strict, strict_gpu

pytestmark = [
    pytest.mark.usefixtures("launches"),
    # NumPy's, of the simulator's scalars, where too large numbers are given.
    pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning"),
]
close = np.testing.assert_allclose
RNG = np.random.default_rng(0)
X = RNG.normal(size=(21, 3))
GRAM = X @ X.T
both = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def test_same_names():
    for name in _rp_cuda.__all__:
        assert hasattr(_rp_cpu, name)


@both
@pytest.mark.parametrize("shape", [(1, 1), (5, 2), (19, 7)])
def test_gaussian(shape, dtype, launches):
    points = RNG.normal(size=shape).astype(dtype)
    points[-1] *= np.sqrt(np.finfo(dtype).max)
    found = []
    for kernels in (_rp_cpu, _rp_cuda):
        out = kernels.contiguous(np.ones((2, shape[0])), dtype)
        pivots = kernels.contiguous(points[[0, -1]], dtype)
        kernels.gaussian(kernels.features_first(points), pivots, 0.3, 0, shape[0], out)
        found.append(out)
    gaps = ((points[[0, -1], None].astype(float) - points) ** 2).sum(axis=2)
    close(found[0], np.exp(-0.3 * gaps) - 1, atol=4 * np.finfo(dtype).eps)
    close(found[1], found[0], atol=4 * np.finfo(dtype).eps)
    assert launches == {"_gaussian"}


@both
@pytest.mark.parametrize(("known", "new"), [(0, 1), (0, 5), (3, 2), (2, 40)])
def test_append(known, new, dtype, launches):
    """Rows that are known, and more new ones than a panel has."""
    n, rank = 50, known + new
    F = np.tril(RNG.normal(size=(n, rank))) / 8 + np.eye(n, rank)
    matrix, pivots = (F @ F.T).astype(dtype), np.arange(known, rank)
    results = []
    for kernels in (_rp_cpu, _rp_cuda):
        rows = kernels.contiguous(np.full((rank, n), np.nan), dtype)
        rows[:known] = F.T[:known]
        diagonal = np.diagonal(matrix).astype(float) - (F[:, :known] ** 2).sum(axis=1)
        left, triangle = (
            kernels.contiguous(part, dtype) for part in (F[pivots, :known], F[pivots, known:])
        )

        def fill(lo, hi, out):
            out[...] = matrix[pivots, lo:hi] - out

        kernels.append(fill, left, triangle, rows, diagonal, 1)
        results.append((rows, diagonal))
    close(results[0][0], F.T, atol=200 * np.finfo(dtype).eps)
    for one, other in zip(*results, strict=True):
        close(other, one, atol=200 * np.finfo(dtype).eps)
    assert launches == {"_eliminate"}


@both
@pytest.mark.parametrize("block_size", [None, 1, 5])
@pytest.mark.parametrize("options", [{"kernel": "rbf", "gamma": 0.4}, {}])
def test_solutions(options, block_size, dtype, launches):
    A = (X if options else GRAM + np.eye(21)).astype(dtype)
    one, other = (
        rp_cholesky(A, 9, rng=0, block_size=block_size, device=device, **options)
        for device in ("cpu", "cuda")
    )
    np.testing.assert_array_equal(other.pivots, one.pivots)
    tolerance = 100 * np.finfo(dtype).eps
    close(other.factor, one.factor, atol=tolerance)
    close(other.residual_diagonal, one.residual_diagonal, atol=20 * tolerance)
    assert other.factor.dtype == dtype
    assert launches == ({"_gaussian", "_eliminate"} if options else {"_eliminate"})


@both
def test_features(dtype):
    one, other = (
        RPCholeskyKernelMap(8, random_state=0, device=device).fit(X.astype(dtype))
        for device in ("cpu", "cuda")
    )
    np.testing.assert_array_equal(other.component_indices_, one.component_indices_)
    new = RNG.normal(size=(6, 3)).astype(dtype)
    found = other.transform(new)
    close(found, one.transform(new), atol=100 * np.finfo(dtype).eps)
    assert type(found) is np.ndarray


def test_ranks_and_errors():
    with pytest.warns(UserWarning, match="3 pivots"):
        assert rp_cholesky(GRAM, 9, device="cuda").factor.shape == (21, 3)
    bad = GRAM + np.eye(21)
    bad[3, 4] = bad[4, 3] = 50.0
    with pytest.raises(ValueError, match="not positive semi-definite: with pivot [34],"):
        rp_cholesky(bad, 21, rng=0, device="cuda")
    bad[3, 4] = bad[4, 3] = np.nan
    with pytest.raises(ValueError, match="A has entries that are NaN"):
        rp_cholesky(bad, 21, rng=0, device="cuda")
    with pytest.raises(ValueError, match="on a GPU there are"):
        rp_cholesky(X, 3, kernel="laplacian", device="cuda")


@pytest.mark.parametrize("kernel", ["rbf", "precomputed"])
def test_arrays_on_the_gpu_stay_there(kernel, monkeypatch):
    to_gpu = strict_gpu(monkeypatch, _rp_cuda)
    A = X if kernel == "rbf" else GRAM + np.eye(21)
    expected = rp_cholesky(A, 7, kernel=kernel, rng=0)
    found = rp_cholesky(to_gpu(A), 7, kernel=kernel, rng=0)
    assert type(found.factor) is Strict
    assert type(found.pivots) is type(found.residual_diagonal) is np.ndarray
    close(found.factor.get(), expected.factor, atol=1e-12)
    model = RPCholeskyKernelMap(7, kernel=kernel, random_state=0)
    features = model.fit_transform(to_gpu(A))
    assert type(features) is type(model.transform(to_gpu(A))) is Strict
    close(features.get(), model.transform(A), atol=1e-12)
    assert type(model.cholesky_) is np.ndarray
