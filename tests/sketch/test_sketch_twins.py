"""The CUDA twins do what the CPU's kernels do."""

import numpy as np
import pytest
from scipy import sparse

from lowrank_la._support.cuda import to_host, twin
from tests.sketch.problems import KINDS

RNG = np.random.default_rng(0)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_streams(kind, dtype, launches):
    """Rows in blocks that begin and end anywhere."""
    X = RNG.normal(size=(2100, 3)).astype(dtype)
    S, rtol = kind(12, random_state=0), 1e-5 if dtype == np.float32 else 1e-11
    on_cpu, on_gpu = S.stream(5), S.stream(5, device="cuda")
    for rows in (X[:7], np.asfortranarray(X[7:1500]), sparse.csr_array(X[1500:])):
        on_cpu.update(rows)
        on_gpu.update(rows)
    one, other = on_cpu.result(), to_host(on_gpu.result())
    assert one.dtype == other.dtype == dtype
    np.testing.assert_allclose(other, one, rtol=rtol, atol=rtol)
    assert launches


def test_bits_do_not_depend_on_the_blocks(kind):
    X, S = RNG.normal(size=(1500, 2)), kind(9, random_state=1)
    whole = S.stream(device="cuda").update(X).result()
    parts = S.stream(device="cuda").update(X[:1030]).update(X[1030:]).result()
    np.testing.assert_array_equal(to_host(parts), to_host(whole))


@pytest.mark.parametrize("first", [0, 2048])
def test_adjoint(kind, first, launches):
    S, Y = kind(30, random_state=2), RNG.normal(size=(30, 2))
    results = []
    for device in ("cpu", "cuda"):
        kernels = twin("lowrank_la.sketch", device, S._room)
        out = kernels.zeros((1100, 2))
        kernels.adjoint(S._law(kernels), kernels.to_device(Y), first, out, 1)
        results.append(to_host(out))
    np.testing.assert_allclose(*results, rtol=1e-11, atol=1e-11)
    assert launches
