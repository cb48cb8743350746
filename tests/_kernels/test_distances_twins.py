import numpy as np
import pytest

from lowrank_la._kernels import distances, distances_cuda
from lowrank_la._support.cuda import to_host


@pytest.mark.parametrize("metric", distances.METRICS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("given", [True, False], ids=["X and Y", "X"])
def test_twins_agree(metric, dtype, given):
    rng = np.random.default_rng(0)
    X, Y = (rng.normal(size=(n, 6)).astype(dtype) for n in (11, 5))
    X[3] = X[4]
    X[5] = 0
    Y = Y if given else None
    found = to_host(distances_cuda.pairwise(X, Y, metric, 1))
    assert found.dtype == dtype
    rtol = 1e-8 if dtype is np.float64 else 1e-6
    expected = distances.pairwise(X, Y, metric, 1)
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * 1e-3)
    if not given:
        np.testing.assert_array_equal(found, found.T)
        np.testing.assert_array_equal(found.diagonal(), 0)
