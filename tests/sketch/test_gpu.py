"""On a GPU: what lies there stays there."""

import numpy as np
import pytest

from lowrank_la._support.cuda import to_device, to_host
from tests.sketch.problems import KINDS


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_the_gpu_stay_there(kind):
    cupy, rng = pytest.importorskip("cupy"), np.random.default_rng(0)
    X, Y = rng.normal(size=(5000, 7)), rng.normal(size=(40, 3))
    S = kind(40, 5000, random_state=0)
    for found, expected in [
        (S @ to_device(X), S @ X),
        (S @ to_device(X[:, 0].copy()), S @ X[:, 0]),
        (S @ to_device(X.astype(np.int64)), S @ X.astype(np.int64)),
        (S @ cupy.asfortranarray(to_device(X)), S @ X),
        (S.T @ to_device(Y), S.T @ Y),
    ]:
        assert isinstance(found, cupy.ndarray)
        np.testing.assert_allclose(to_host(found), expected, rtol=1e-10, atol=1e-10)
    X[3, 3] = np.nan
    with pytest.raises(ValueError, match=r"\bA\b"):
        S @ to_device(X)
