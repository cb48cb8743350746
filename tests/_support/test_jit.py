import numba
import numpy as np
import pytest

from lowrank_la._support import jit
from lowrank_la._support.jit import FASTMATH, kernel, specialise
from tests.common.api import PACKAGE, modules

compiled = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="the JIT is off")


@kernel
def ratio(a, b):
    return a / b


@kernel(strict=True)
def nan_count(values):
    count = 0
    for value in values:
        if value != value:
            count += 1
    return count


@kernel(inline="always")
def twice(x):
    return 2 * x


def template(values):
    total = 0.0
    for value in values:
        total += combine(value)  # noqa: F821
    return total


def square(x):
    return x * x


def cube(x):
    return x * x * x


@compiled
def test_division_is_that_of_numpy():
    assert ratio(1.0, 0.0) == np.inf


def test_nan_is_never_assumed_away():
    values = np.array([1.0, np.nan, np.inf, -np.nan])
    assert nan_count(values) == 2
    assert not FASTMATH & {"nnan", "ninf", "fast"}


@compiled
def test_options():
    assert ratio.targetoptions["nogil"] is True
    assert ratio.targetoptions["fastmath"] == FASTMATH
    assert nan_count.targetoptions["fastmath"] is False
    assert twice.targetoptions["inline"] == "always"
    assert twice(4) == 8


def test_specialisations_do_not_mix():
    values = np.array([1.0, 2.0, 3.0])
    squares = specialise(template, "square", combine=square)
    cubes = specialise(template, "cube", combine=cube)
    assert (squares(values), cubes(values)) == (14, 36)
    assert squares(values) == 14


@compiled
def test_the_salt_covers_every_file_of_kernels():
    """What is compiled outside the hashed files would go stale unseen."""
    hashed = [*PACKAGE.glob("_kernels/*.py"), *PACKAGE.glob("*/*_cpu.py")]
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, numba.core.registry.CPUDispatcher):
                source = value.py_func.__code__.co_filename
                assert source in map(str, hashed), f"{module.__name__}.{name}"


@compiled
def test_without_a_place_for_a_cache_kernels_still_compile(monkeypatch):
    def refuse(self):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(numba.core.registry.CPUDispatcher, "enable_caching", refuse)
    assert kernel(square)(3.0) == 9


@compiled
def test_without_the_stamp_there_is_no_cache(monkeypatch):
    """A Numba that keeps its stamp elsewhere must not leave an unsalted cache behind."""

    def unknown():
        raise AttributeError("_source_stamp")

    monkeypatch.setattr(jit, "_salt", unknown)
    unsalted = kernel(cube)
    assert unsalted(2.0) == 8
    assert not unsalted.stats.cache_hits
    assert not unsalted._cache._enabled


def test_kernels_run_interpreted(run_python):
    code = """
import numpy as np
from lowrank_la.cluster import fasterpam
x = np.arange(12.0) ** 2
result = fasterpam(abs(x[:, None] - x), 3, init="first")
print(result.medoids.tolist(), result.loss)
"""
    outputs = {run_python("-c", code, NUMBA_DISABLE_JIT=off) for off in ("0", "1")}
    assert len(outputs) == 1
