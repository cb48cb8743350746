"""The benchmark machinery: what a row claims, and a small run from the command line."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def harness(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import _harness

    return _harness


def row(harness, **fields):
    given = {"problem": "p", "ours": "a", "peer": "b", "cpu_s": 1.0, "peer_cpu_s": 3.0}
    return harness.Row(**given | fields)


@pytest.mark.parametrize(
    ("fields", "met"),
    [
        ({}, None),
        ({"bar": 3.0}, True),
        ({"bar": 3.1}, False),
        ({"bar": 2.0, "valid": False}, False),
        ({"valid": True}, None),
        ({"clock": "wall", "wall_s": 2.0, "peer_wall_s": 1.0, "bar": 1.0}, False),
        ({"clock": "iterations", "iterations": 31, "peer_iterations": 120, "bar": 1.0}, True),
        ({"clock": "iterations", "iterations": 121, "peer_iterations": 120, "bar": 1.0}, False),
        ({"clock": "error", "quality": 0.1, "peer_quality": 0.4, "bar": 3.0}, True),
        ({"clock": "error", "quality": 0.2, "peer_quality": 0.4, "bar": 3.0}, False),
    ],
)
def test_a_bar_is_met_by_a_valid_result_that_is_fast_enough(harness, fields, met):
    assert row(harness, **fields).met is met


def test_nothing_beyond_the_imports_is_within_any_allowance(harness):
    free = harness.Row.allowance("p", "a", 0.0, 0.1)
    assert free.ratio == math.inf
    assert free.met
    json.dumps(free.as_dict("s"), allow_nan=False)


def test_contestants_take_turns_after_a_warm_up(harness):
    calls = []
    contestants = {name: lambda name=name: calls.append(name) or name for name in "ab"}
    timings = harness.compare(contestants, quick=True)
    assert calls == list("ab" * 4)
    assert [len(timings[name].cpus) for name in "ab"] == [3, 3]
    assert timings["b"].result == "b"
    harness.compare(contestants, rounds=2)
    assert calls[8:] == list("abab")


@pytest.mark.parametrize(("peak", "met"), [(50.0, True), (51.0, False), (0.0, True)])
def test_a_bar_may_be_of_memory(harness, peak, met):
    small = harness.Row.memory("p", "a", "b", (9.0, peak), (1.0, 100.0), bar=2.0)
    assert small.met is met
    assert small.as_dict("s")["peer_peak_mb"] == 100.0


def test_small_problems_are_not_judged(harness, tmp_path):
    quick, full = (harness.Bench(quick, tmp_path) for quick in (True, False))
    assert (quick.bar(2.0), full.bar(2.0)) == (None, 2.0)
    assert (quick.judge(False), full.judge(False), full.judge(True)) == (None, False, True)


def test_a_child_tells_its_own_peak_of_memory(harness):
    held = bytearray(300_000_000)  # which is not the child's
    (_, base), (_, more) = (
        harness.fresh_peak(f"b = bytearray({size})") for size in (1, 100_000_000)
    )
    if base is None:
        pytest.skip("this system does not tell")
    assert 90 < more - base < 110
    assert base < len(held) / 1e6


def test_memory_that_was_freed_before_counts(harness):
    def take():
        return [bytearray(50_000) for _ in range(1000)]

    take()
    peak = harness.peak_beside(take)
    if peak is None:
        pytest.skip("this system does not tell")
    assert 35 < peak < 75


def test_a_child_has_the_threads_that_it_is_given(harness):
    code = "import os; print(os.environ['NUMBA_NUM_THREADS'])"
    cpu_s, threads = harness.fresh(code, threads=2)
    assert threads == 2
    assert cpu_s > 0
    code = "import os; print(os.environ['OMP_NUM_THREADS'])"
    assert harness.fresh(code, threads=2)[1] == 1
    assert harness.fresh(code, variables={"OMP_NUM_THREADS": "2"})[1] == 2


def test_threads_cannot_be_pinned_after_numpy_is_imported(harness):
    pytest.importorskip("numpy")
    with pytest.raises(RuntimeError, match="NumPy is imported already"):
        harness.pin_threads(1)


def test_a_missing_peer_or_file_skips_the_section(harness, tmp_path):
    bench = harness.Bench(quick=True, data=tmp_path)
    with pytest.raises(harness.SkipSection, match="not installed"):
        bench.peer("no_such_package")
    with pytest.raises(harness.SkipSection, match="absent"):
        bench.file("no_such_file")


@pytest.mark.parametrize(
    ("capability", "sections", "absent"),
    [
        ("kmedoids", "one thread", "mnist"),
        ("transport", "os", "images"),
        ("lp_regression", "Other p", "diamonds"),
        ("sampling", "Coresets of h", "housing"),
    ],
)
def test_quick_run_from_the_command_line(tmp_path, capability, sections, absent):
    target = tmp_path / "out.json"
    command = [
        sys.executable, "-m", "benchmarks", capability, "--quick", "--only", sections,
        "--data", str(tmp_path), "--json", str(target),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads(target.read_text())
    assert any(absent in line for line in report["skipped"])  # the data are absent here
    assert {"cpu", "cores", "blas", "load_before", "load_after"} <= report["machine"].keys()
    if not report["rows"]:
        pytest.skip(report["skipped"][0])  # the peer is not installed
    for measured in report["rows"]:
        assert measured["cpu_s"] > 0
        assert measured["ratio"] == pytest.approx(measured["peer_cpu_s"] / measured["cpu_s"])
        assert measured["met"] is not False
