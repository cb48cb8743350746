"""The tables that are drawn from what was measured."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "readme_table.py"


@pytest.fixture(scope="module")
def readme_table():
    spec = importlib.util.spec_from_file_location("readme_table", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("clock", "cells"),
    [
        ("cpu", ("1", "2")),
        ("wall", ("3", "")),
        ("memory", ("104 MB", "200 MB")),
        ("iterations", ("31 iterations", "120 iterations")),
        ("error", ("0.1 error", "0.4 error")),
    ],
)
def test_a_row_shows_what_its_ratio_is_of(readme_table, clock, cells):
    row = {
        "clock": clock, "cpu_s": 1.0, "peer_cpu_s": 2.0, "wall_s": 3.0, "peer_wall_s": None,
        "peak_mb": 104.2, "peer_peak_mb": 200, "iterations": 31, "peer_iterations": 120,
        "quality": 0.1, "peer_quality": 0.4,
    }  # fmt: skip
    assert readme_table.seconds(row) == cells
