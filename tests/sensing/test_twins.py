"""Measurements on the GPU make the products that they make on the CPU, alone and in solvers."""

import numpy as np
import pytest
from scipy import sparse

from lowrank_la.sensing import (
    EntryMeasurements,
    GaussianMeasurements,
    MatrixMeasurements,
    RankOneMeasurements,
    _cuda,
    scaled_gd,
)
from lowrank_la.sketch import Gaussian, _gaussian_cuda
from tests.sensing.operators import normal, places
from tests.sensing.problems import error, low_rank
from tests.strict import Strict, strict_gpu

close = np.testing.assert_allclose
DTYPES = [np.float32, np.float64]
TIGHT = {np.float32: 1e-5, np.float64: 1e-10}
SHAPE, M = (4, 3), 11


def entries(device, dtype=np.float64):
    places_of = places(M, SHAPE, np.random.default_rng(0))
    return EntryMeasurements(*places_of, SHAPE, device=device)


def matrix(device, dtype=np.float64):
    A = normal(np.random.default_rng(0), M, *SHAPE).astype(dtype)
    return MatrixMeasurements(A, device=device)


def rank_one(device, dtype=np.float64):
    rng = np.random.default_rng(0)
    a, b = normal(rng, M, SHAPE[0]).astype(dtype), normal(rng, M, SHAPE[1]).astype(dtype)
    return RankOneMeasurements(a, b, device=device)


def symmetric(device, dtype=np.float64):
    a = normal(np.random.default_rng(0), M, SHAPE[0]).astype(dtype)
    return RankOneMeasurements(a, device=device)


def kept(device, dtype=np.float64):
    return GaussianMeasurements(M, SHAPE, random_state=0, device=device)


def made_anew(device, dtype=np.float64):
    return GaussianMeasurements(M, SHAPE, kept=False, random_state=0, device=device)


KINDS = [entries, matrix, rank_one, symmetric, kept, made_anew]


def products(A, dtype):
    """Products of all kinds, by arrays of a precision; also where both factors are one."""
    rng = np.random.default_rng(1)
    left, right, z, x = (
        normal(rng, *size).astype(dtype)
        for size in ((A.matrix_shape[0], 2), (A.matrix_shape[1], 2), (M,), (A.shape[1],))
    )
    found = [A.apply_factors(left, right), A.adjoint_times(z, right)]
    found += [*A.adjoint_factors(z, left, right), A @ x, A.T @ z]
    if A.matrix_shape[0] == A.matrix_shape[1]:
        found += [A.apply_factors(left, left), *A.adjoint_factors(z, left, left)]
    return found


def assert_same(found, expected, tol):
    for one, other in zip(found, expected, strict=True):
        assert type(one) is np.ndarray
        assert one.dtype == other.dtype
        close(one, other, rtol=tol, atol=tol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_products(kind, dtype, launches):
    one, other = (products(kind(device, dtype), dtype) for device in ("cpu", "cuda"))
    assert_same(other, one, TIGHT[dtype])
    if kind is entries:
        assert launches == {"_entries", "_sum_lines"}


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_do_not_mix(kind, monkeypatch):
    expected = products(kind("cpu"), np.float64)
    strict_gpu(monkeypatch, _cuda, _gaussian_cuda)
    assert_same(products(kind("cuda"), np.float64), expected, 1e-10)


def test_arrays_stay_where_they_are(monkeypatch):
    to_gpu = strict_gpu(monkeypatch, _cuda)
    rng = np.random.default_rng(0)
    a, X = normal(rng, M, 4), normal(rng, M, 6)
    one, other = RankOneMeasurements(to_gpu(a)), MatrixMeasurements(to_gpu(X), (2, 3))
    assert isinstance(one._a, Strict)
    assert isinstance(other._matrix, Strict)
    factor = normal(rng, 4, 2)
    expected = RankOneMeasurements(a).apply_factors(factor, factor)
    close(one.apply_factors(factor, factor), expected)
    close(other @ np.ones(6), X.sum(axis=1))
    indices = to_gpu(np.array([1, 0]))
    assert EntryMeasurements(indices, indices, (2, 2)) @ np.arange(4.0) == pytest.approx([3, 0])
    back = MatrixMeasurements(to_gpu(X), (2, 3), device="cpu")
    assert type(back._matrix) is np.ndarray
    with pytest.raises(ValueError, match="a has entries that are NaN"):
        RankOneMeasurements(to_gpu(np.nan * a))


def test_normal_numbers(monkeypatch):
    to_gpu = strict_gpu(monkeypatch, _gaussian_cuda)
    assert isinstance(to_gpu([0.0]), Strict)
    S = Gaussian(5, 13, random_state=0)
    found = S.toarray("cuda")
    assert isinstance(found, Strict)
    close(found.get(), S.toarray(), rtol=1e-12)


def test_sparse_ones_stay_on_the_cpu():
    S = sparse.csr_array(np.eye(4))
    for make in (lambda: RankOneMeasurements(S, device="cuda"),
                 lambda: RankOneMeasurements(np.eye(4), S, device="cuda"),
                 lambda: MatrixMeasurements(S, (2, 2), device="cuda")):  # fmt: skip
        with pytest.raises(ValueError, match="device='cuda' is for dense arrays"):
            make()


def test_solvers_take_them():
    M = low_rank((8, 8), 1)
    A = EntryMeasurements(*np.indices((8, 8)).reshape(2, -1), (8, 8), device="cuda")
    result = scaled_gd(A, M.ravel(), 1, rng=0, max_iter=30)
    assert error(result, M) < 1e-7
