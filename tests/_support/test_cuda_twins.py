"""What holds where CUDA kernels run: on a GPU, or in the simulator."""

import importlib
import inspect

import numpy as np
import pytest

from lowrank_la._support.cuda import cuda, cuda_kernel, to_device, to_host
from tests.common.api import PACKAGE


def module_of(path):
    return importlib.import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))


def twin_of(path):
    twin = path.with_name(path.name.replace("_cuda", "_cpu"))
    return twin if twin.exists() else path.with_name(path.name.replace("_cuda", ""))


def own_functions(module):
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
    }


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*_cuda.py")), ids=lambda path: path.stem)
def test_twins_have_the_same_functions(path):
    gpu, cpu = module_of(path), module_of(twin_of(path))
    assert own_functions(gpu)
    for name, function in own_functions(gpu).items():
        twin = getattr(cpu, name)
        expected = inspect.signature(getattr(twin, "py_func", twin))
        assert list(inspect.signature(function).parameters) == list(expected.parameters), name


def test_copies_are_contiguous():
    array = to_device(np.arange(6.0).reshape(2, 3).T)
    assert array.flags.c_contiguous
    np.testing.assert_array_equal(to_host(array), np.arange(6.0).reshape(2, 3).T)


@cuda_kernel("float64[::1]")
def count(out):
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[i] += 1.0


def test_a_kernel_strides_over_what_the_grid_does_not_cover():
    out = to_device(np.zeros(1000))
    count(10**9, out)
    count(0, out)
    np.testing.assert_array_equal(to_host(out), 2.0)
