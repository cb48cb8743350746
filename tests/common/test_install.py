"""Installations, each a copy of the package in a folder of its own."""

import json
import shutil
import sys

import pytest

from tests.common.api import PACKAGE, public_functions

FIT = """
import numpy as np
from lowrank_la.cluster import KMedoids
x = np.arange(40.0).reshape(20, 2) ** 2
print(KMedoids(3, metric="cityblock", init="build").fit(x).inertia_)
"""


@pytest.fixture
def copy(tmp_path):
    """The package in a folder of its own, without what was compiled before."""
    site = tmp_path / "site"
    shutil.copytree(PACKAGE, site / "lowrank_la", ignore=shutil.ignore_patterns("__pycache__"))
    return site


# Light imports

MODULES = """
import json, sys
import numpy
before = set(sys.modules)
{}
print(json.dumps(sorted({{name.split(".")[0] for name in set(sys.modules) - before}})))
"""


def loaded(run_python, statement):
    """Top-level packages, beyond NumPy and the standard library, that a statement loads."""
    names = json.loads(run_python("-c", MODULES.format(statement)))
    return set(names) - sys.stdlib_module_names


def test_import_loads_numpy_alone(run_python):
    assert loaded(run_python, "import lowrank_la") == {"lowrank_la"}
    assert loaded(run_python, "import lowrank_la.cluster; dir(lowrank_la)") == {"lowrank_la"}


def test_estimators_are_what_loads_scikit_learn(run_python):
    """Solvers do without it, so the test above can tell."""
    assert "sklearn" not in loaded(run_python, "from lowrank_la.cluster import fasterpam")
    assert "sklearn" in loaded(run_python, "from lowrank_la.cluster import KMedoids")


@pytest.mark.parametrize("function", public_functions())
def test_functions_load_no_cuda_package(function, run_python):
    statement = f"from {function.__module__} import {function.__name__}"
    assert not loaded(run_python, statement) & {"cupy", "numba_cuda", "numba_cuda_mlir"}


# The cache of compiled kernels


@pytest.fixture
def unwritable(copy, tmp_path):
    """A copy beside which no cache can be written, and an environment with no home for one.

    Files stand where folders would have to be made: that stops root, too.
    """
    for folder in {path.parent for path in copy.rglob("*.py")}:
        (folder / "__pycache__").write_text("")
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    variables = ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME", "IPYTHONDIR")
    return copy, {"NUMBA_CACHE_DIR": None, **dict.fromkeys(variables, str(blocked / "home"))}


def test_read_only_install_and_home(unwritable, run_python):
    site, environment = unwritable
    cached = "import numba\nnumba.njit(cache=True)(lambda x: x)\n"
    (site / "lowrank_la" / "control.py").write_text(cached)
    control = "try: import lowrank_la.control\nexcept RuntimeError as error: print(error)"
    assert "cannot cache" in run_python("-c", control, path=site, **environment)
    expected = run_python("-c", FIT)
    assert run_python("-c", FIT, path=site, **environment) == expected
    assert not list(site.rglob("*.nb[ci]"))


CALLEE = """
from .._support.jit import kernel

@kernel
def base():
    return {}
"""
CALLER = """
from .._kernels.callee import base
from .._support.jit import kernel

@kernel
def solve(x):
    return base() + x
"""
SOLVE = """
from lowrank_la.cluster._cpu import solve
print(solve(1.0), sum(solve.stats.cache_hits.values()))
"""


def test_an_edited_callee_recompiles_its_callers(copy, run_python):
    """The cached caller in another file, which did not change, must not be used."""
    (copy / "lowrank_la" / "cluster" / "_cpu.py").write_text(CALLER)
    callee = copy / "lowrank_la" / "_kernels" / "callee.py"

    def solve(value):
        callee.write_text(CALLEE.format(value))
        return run_python("-c", SOLVE, path=copy, NUMBA_CACHE_DIR=None).split()

    assert solve(10.0) == ["11.0", "0"]
    assert solve(10.0) == ["11.0", "1"], "the cache was not used"
    assert solve(20.0) == ["21.0", "0"]


def test_warm_cache_gives_the_same_results(copy, run_python):
    """Kernels that share a source, as the metrics do, must not be taken for each other."""
    code = """
import numpy as np
from lowrank_la._kernels.distances import METRICS
from lowrank_la.cluster import pairwise_distances
x = np.random.default_rng(0).normal(size=(5, 3))
print({metric: pairwise_distances(x, metric=metric).sum() for metric in METRICS})
"""
    outputs = [run_python("-c", code, path=copy, NUMBA_CACHE_DIR=None) for _ in range(2)]
    outputs.append(run_python("-c", code))
    assert len(set(outputs)) == 1
    assert list(copy.rglob("*.nbi"))
