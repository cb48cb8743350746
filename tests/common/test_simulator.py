"""The CUDA twins, in a process where Numba simulates the GPU."""

import pytest

from tests.conftest import ROOT, SIMULATED

TWINS = sorted(map(str, (ROOT / "tests").rglob("test_*twins.py")))


@pytest.mark.skipif(SIMULATED, reason="this is the simulator")
def test_twins_agree_in_the_simulator(run_python):
    options = ["-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", f"-c{ROOT}/pyproject.toml"]
    printed = run_python("-m", "pytest", *options, *TWINS, NUMBA_ENABLE_CUDASIM="1")
    assert " passed" in printed
    assert "skipped" not in printed
