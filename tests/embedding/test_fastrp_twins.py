"""The CUDA twins do what the CPU's kernels do, one by one and in whole embeddings."""

import numpy as np
import pytest
from scipy import sparse

from lowrank_la.embedding import FastRP, _cpu, _cuda, fastrp
from lowrank_la.embedding._cpu import GAUSSIAN, HASHED, SPARSE

N, D = 14, 20
TOLERANCE = {"float32": 1e-5, "float64": 1e-11, "int8": 0.1}


def graph(weighted=True):
    rng = np.random.default_rng(0)
    A = (rng.random((N, N)) < 0.3) * (rng.random((N, N)) + 0.5 if weighted else 1.0)
    A[3], A[:, 4] = 0, 0
    return sparse.csr_array(A)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("law", [HASHED, SPARSE, GAUSSIAN])
def test_fill(law, dtype):
    ids, scale = np.arange(N, dtype=np.uint64) * 7, np.linspace(1, 2, N).astype(dtype)
    results = []
    for kernels in (_cpu, _cuda):
        out = kernels.to_device(np.full((N, D + 2), 9.0, dtype)).copy()
        args = kernels.to_device(ids), law, 3.0, D, kernels.to_device(scale), out, 1
        kernels.fill(2**63 + 5, *args)
        results.append(np.asarray(_cuda.to_host(out)))
    np.testing.assert_allclose(*results, rtol=1e-6 if dtype == np.float32 else 1e-12)
    assert (results[0][:, D:] == 9).all()
    assert results[0][:, :D].any()


def test_hashed():
    ids, scale = np.arange(N, dtype=np.uint64) * 7, np.linspace(1, 2, N)
    one, other = (
        kernels.hashed(
            11, kernels.to_device(ids), D, kernels.to_device(scale), np.float64, 1
        )
        for kernels in (_cpu, _cuda)
    )  # fmt: skip
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine, _cuda.to_host(theirs))


@pytest.mark.parametrize("storage", TOLERANCE)
@pytest.mark.parametrize("law", ["hashed", "gaussian"])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("similarity", ["walk", "symmetric"])
def test_whole_embeddings(storage, law, weighted, similarity):
    results = [
        fastrp(
            graph(weighted), 10, weights=(0.5, 0, 2), self_influence=0.3, projection=law,
            similarity=similarity, storage=storage, random_state=0, device=device,
        )
        for device in ("cpu", "cuda")
    ]  # fmt: skip
    one, other = results[0], _cuda.to_host(results[1])
    assert one.dtype == other.dtype
    np.testing.assert_allclose(one, other, atol=TOLERANCE[storage])


@pytest.mark.parametrize("refine", [False, 2])
def test_whole_fits(refine):
    A = graph()
    one, other = (
        FastRP(4, weights=(1, 1), refine=refine, random_state=0, storage="float64", device=device)
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(one.fit_transform(A), other.fit_transform(A), atol=1e-8)
    assert isinstance(other.embedding_, np.ndarray)
    np.testing.assert_allclose(one.transform(A[:3]), other.transform(A[:3]), atol=1e-8)
    one, other = one.reweight((0, 2.0)), other.reweight((0, 2.0))
    np.testing.assert_allclose(one.embedding_, other.embedding_, atol=1e-8)
