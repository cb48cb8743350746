"""What every test may use: profiles, seeds, data, and the CUDA simulator."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")
SEEDS = os.environ.get("LOWRANK_LA_TESTS_GLOBAL_RANDOM_SEED", "0")

settings.register_profile("default", deadline=None, max_examples=50)
settings.register_profile(
    "ci", deadline=None, max_examples=50, derandomize=True, database=None, print_blob=True
)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def gpu_is_usable():
    from lowrank_la._support.cuda import resolve_device

    try:
        return not SIMULATED and resolve_device("cuda") == "cuda"
    except RuntimeError:
        return False


# CUDA kernels run on a GPU, or in the simulator: see common/test_simulator.py.
collect_ignore_glob = [] if SIMULATED or gpu_is_usable() else ["*_twins.py"]


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") and not gpu_is_usable():
        pytest.skip("no NVIDIA GPU can be used here")


def seeds(text):
    """0-99 for "all", a range for "3-7", one seed for a number."""
    first, _, last = ("0-99" if text == "all" else text).partition("-")
    return range(int(first), int(last or first) + 1)


def pytest_generate_tests(metafunc):
    if "global_random_seed" in metafunc.fixturenames:
        metafunc.parametrize("global_random_seed", seeds(SEEDS))


@pytest.fixture(scope="session")
def data_dir():
    """Folder of real data."""
    folder = os.environ.get("LOWRANK_LA_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("LOWRANK_LA_DATA names no folder of real data")
    return Path(folder)


@pytest.fixture
def run_python(tmp_path):
    """Run code in a fresh interpreter and return what it prints; a failure shows its errors."""

    def run(*arguments, path=ROOT, **environment):
        given = {key: value for key, value in environment.items() if value is not None}
        absent = set(environment) - set(given)
        env = {key: value for key, value in os.environ.items() if key not in absent}
        env |= {"PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1", **given}
        done = subprocess.run(
            [sys.executable, *arguments], env=env, cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


@pytest.fixture
def launches(monkeypatch):
    """Names of the CUDA kernels launched; each must be given what its signature says."""
    from lowrank_la._support.cuda import Kernel

    names, launch = set(), Kernel.__call__
    scalars = {"int64": int | np.integer, "uint64": np.uint64, "float64": float}

    def checked(self, n_blocks, *args):
        names.add(self.__name__)
        declared = re.findall(r"(\w+)(?:\[([^\]]*)\])?", self.signature)
        pairs = list(zip(declared, args, strict=True))
        assert len({array.dtype for (kind, _), array in pairs if kind == "T"}) <= 1, "T is one type"
        for (kind, axes), value in pairs:
            if not axes:
                assert isinstance(value, scalars[kind])
                continue
            assert value.ndim == axes.count(":") - axes.count("::1") and axes.endswith("::1")
            assert value.flags.c_contiguous
            assert kind == "T" or value.dtype == kind
        launch(self, n_blocks, *args)

    monkeypatch.setattr(Kernel, "__call__", checked)
    return names


@pytest.fixture
def Recorder():
    """A callback of scikit-learn's that notes its calls."""
    pytest.importorskip("sklearn.callback", reason="scikit-learn has no callbacks before 1.9")

    class Recorder:
        def __init__(self, stop=False):
            self.stop, self.calls = stop, []

        def setup(self, estimator, context):
            self.calls.append("setup")

        def on_fit_task_begin(self, estimator, context, **kwargs):
            self.calls.append("begin")

        def on_fit_task_end(self, estimator, context, **kwargs):
            self.calls.append("end")
            return self.stop

        def teardown(self, estimator, context):
            self.calls.append("teardown")

    return Recorder
