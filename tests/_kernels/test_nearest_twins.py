import numpy as np
import pytest

from lowrank_la._kernels import distances, nearest, nearest_cuda
from lowrank_la._support.cuda import to_host


@pytest.mark.parametrize("metric", distances.METRICS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_twins_agree(metric, dtype):
    rng = np.random.default_rng(0)
    X, Y = (rng.normal(size=(n, 6)).astype(dtype) for n in (23, 5))
    X[3], X[5], Y[4] = Y[2], 0, Y[0]
    labels, found = map(to_host, nearest_cuda.nearest(X, Y, metric, 1))
    expected = nearest.nearest(X, Y, metric, 1)
    assert (labels.dtype, found.dtype) == (np.int32, np.float64)
    np.testing.assert_array_equal(labels, expected[0])
    np.testing.assert_allclose(found, expected[1], rtol=1e-12, atol=1e-14)
