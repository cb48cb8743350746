import numpy as np
import pytest

from lowrank_la._support import cuda


class OnDevice:
    """Looks like an array on a GPU."""

    __cuda_array_interface__ = {"shape": (1,), "typestr": "<f8", "data": (0, False), "version": 3}


@pytest.fixture
def no_gpu(monkeypatch):
    class Target:
        @staticmethod
        def is_available():
            return False

    monkeypatch.setattr(cuda, "_cuda", lambda: Target)
    monkeypatch.setattr(cuda, "xp", np)


def test_the_default_is_where_the_data_are(monkeypatch):
    monkeypatch.setattr(cuda, "_require_gpu", lambda: None)
    assert cuda.resolve_device(None, np.ones(3), None) == "cpu"
    assert cuda.resolve_device(None, np.ones(3), OnDevice()) == "cuda"
    assert cuda.resolve_device("cpu", OnDevice()) == "cpu"
    assert cuda.resolve_device("cuda", np.ones(3)) == "cuda"


@pytest.mark.parametrize("device", ["gpu", "CUDA", "cuda:0", 0, True, ""])
def test_an_unknown_device_is_named(device):
    with pytest.raises(ValueError, match="device="):
        cuda.resolve_device(device)


def test_no_gpu_is_told_with_advice(no_gpu):
    with pytest.raises(RuntimeError, match=r"no GPU was found.*lowrank-la\[gpu\].*device='cpu'"):
        cuda.resolve_device("cuda")
    with pytest.raises(RuntimeError, match="no GPU"):
        cuda.resolve_device(None, OnDevice())


def test_no_package_is_told_with_advice(monkeypatch):
    def missing():
        raise ModuleNotFoundError("No module named 'cupy'")

    monkeypatch.setattr(cuda, "_cuda", missing)
    with pytest.raises(RuntimeError, match=r"'cupy'.*lowrank-la\[gpu\]"):
        cuda.resolve_device("cuda")


def test_cupy_is_imported_when_it_is_used(monkeypatch):
    imported = []

    def module(name):
        imported.append(name)
        return np

    monkeypatch.setattr(cuda, "SIMULATED", False)
    monkeypatch.setattr(cuda.importlib, "import_module", module)
    assert not hasattr(cuda.xp, "__wrapped__")
    assert imported == []
    assert cuda.xp.zeros is np.zeros
    assert imported == ["cupy"]


def test_the_cpu_needs_no_cuda_package(run_python):
    code = """
import sys
from lowrank_la._support.cuda import resolve_device, twin
assert resolve_device(None, [1.0]) == "cpu"
assert twin("lowrank_la.cluster", "cpu").__name__ == "lowrank_la.cluster._cpu"
loaded = [name for name in sys.modules if name.startswith(("cupy", "numba.cuda.", "numba_cuda"))]
assert not loaded, loaded
"""
    run_python("-c", code)


def test_host_arrays_stay_on_the_host():
    array = np.arange(3)
    assert cuda.to_host(array) is array
    assert not cuda.is_device_array(array)
