"""The CUDA twins, in a process where Numba simulates the GPU."""

import os

import pytest

from tests.conftest import ROOT, SIMULATED


@pytest.mark.skipif(SIMULATED, reason="this is the simulator")
def test_cuda_tests_pass_in_the_simulator(run_python):
    ini = f"--config-file={ROOT / 'pyproject.toml'}"
    printed = run_python(
        *["-m", "pytest", str(ROOT / "tests"), "-m", "cuda", "-q", "-p", "no:cacheprovider", ini],
        NUMBA_ENABLE_CUDASIM="1",
        NUMBA_CACHE_DIR=os.environ.get("NUMBA_CACHE_DIR"),
    )
    assert " passed" in printed
    assert "skipped" not in printed
