"""The benchmark of sampling: its problems, and how it judges scores and samples."""

import json
import math

import numpy as np
import pytest
from scipy import linalg

from benchmarks import _sampling_claims as claims
from benchmarks import _sampling_coresets as coresets
from benchmarks import _sampling_lewis as lewis
from benchmarks import _sampling_problems as problems
from benchmarks import _sampling_scores as scores
from benchmarks._harness import Bench, SkipSection
from lowrank_la.sampling import lp_sensitivities


@pytest.fixture(scope="module")
def matrix():
    return problems.leverage_matrix(2500, 6)


@pytest.fixture
def bench(tmp_path):
    return Bench(quick=True, data=tmp_path)


def test_references_agree(matrix):
    rows = np.arange(0, 2500, 7)
    right = problems.extended_scores(matrix)
    np.testing.assert_allclose(problems.accurate_scores(matrix, rows), right[rows], rtol=1e-10)
    assert right.sum() == pytest.approx(6)


@pytest.mark.parametrize("name", [*scores.OURS, *scores.PEERS])
def test_contestants_score_rows(matrix, name):
    if name == scores.STATSMODELS:
        pytest.importorskip("statsmodels")
    found = (scores.OURS | scores.PEERS)[name](matrix)
    right = problems.extended_scores(matrix)
    np.testing.assert_allclose(found, right, rtol=5.0 if name == scores.SKETCHED else 1e-8)


def test_the_faster_expression_has_the_bar(tmp_path):
    contest = scores.Contest(3000, 5, tuple(scores.EXPRESSIONS), scores.CONTESTS[0].bars)
    title, timings = scores.measured(contest, False, rounds=2)
    rows = list(scores.rows_of(Bench(False, tmp_path), contest, title, timings))
    barred = {row.peer for row in rows if row.bar}
    (fastest,) = barred
    assert timings[fastest].cpu_s == min(timings[name].cpu_s for name in scores.EXPRESSIONS)
    assert all(row.valid for row in rows if row.ours != scores.SKETCHED)


def test_wrong_scores_miss_the_bar(tmp_path):
    contest = scores.CONTESTS[0]._replace(n=3000, d=5, peers=tuple(scores.EXPRESSIONS))
    title, timings = scores.measured(contest, False, rounds=2)
    timings[scores.EXACT].result = 1e-6
    rows = scores.rows_of(Bench(False, tmp_path), contest, title, timings)
    assert all(row.met is False for row in rows if row.ours == scores.EXACT)


def test_memory_is_told_by_a_process_of_its_own(monkeypatch, bench, capsys):
    def child(code):
        exec(code)  # noqa: S102
        return 1.0, json.loads(capsys.readouterr().out.splitlines()[-1])

    small = scores.Contest(3000, 5, ())
    monkeypatch.setattr(scores, "fresh", child)
    monkeypatch.setattr(scores, "CONTESTS", (small,))
    rows = list(scores.memory_rows(bench))
    assert [row.ours for row in rows] == [scores.EXACT, scores.STABLE]
    assert all(row.clock == "memory" and row.bar is None for row in rows)


@pytest.mark.parametrize("p", [0.5, 1.0, 3.0, 6.0])
def test_right_weights_are_a_fixed_point(matrix, p):
    w = lewis.right_weights(matrix, p)
    scaled = matrix * w[:, None] ** (0.5 - 1 / p)
    np.testing.assert_allclose(problems.extended_scores(scaled), w, rtol=1e-8)
    n_iter = lewis.iterations(matrix, p, w)
    assert lewis.error(lewis.loop(matrix, p, n_iter), w) <= lewis.TOL
    assert lewis.error(lewis.loop(matrix, p, n_iter - 1), w) > lewis.TOL


def test_lewis_weights_are_judged_by_their_error(tmp_path):
    contest = lewis.Contest(2000, 5, 1.0, 1e-9)
    title, told, timings = lewis.measured(contest, False, rounds=2)
    bench = Bench(False, tmp_path)
    assert lewis.row_of(bench, contest, title, told, timings).met
    timings[lewis.OURS].result = 2e-3
    assert lewis.row_of(bench, contest, title, told, timings).met is False


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0, 4.0])
def test_sensitivities_of_instances_are_known(p):
    made = problems.instance(5, 2, p, n_flat=32, copies=3)
    np.testing.assert_allclose(lp_sensitivities(made.A, p), made.sensitivities, rtol=1e-5)


@pytest.mark.parametrize("p", [1.0, 2.0, 4.0])
def test_distortions_are_found(p):
    A = np.random.default_rng(0).standard_normal((300, 4))
    norms = claims.Norms(A, p, np.random.default_rng(1))
    everything = np.arange(300)
    assert norms.distortion(everything, np.ones(300)) == pytest.approx(0, abs=1e-9)
    assert norms.distortion(everything, np.full(300, 2.0)) == pytest.approx(2 ** (1 / p) - 1)
    assert norms.distortion(np.arange(3), np.full(3, 100.0)) == pytest.approx(1)


def test_the_worst_distortion_of_squares_is_spectral():
    rng = np.random.default_rng(0)
    A, weights = rng.standard_normal((500, 5)), rng.random(100) * 10
    rows = rng.choice(500, 100, replace=False)
    basis = linalg.qr(A, mode="economic")[0]
    values = linalg.eigvalsh((basis[rows].T * weights) @ basis[rows])
    found = claims.Norms(A, 2.0, rng).distortion(rows, weights)
    assert found == pytest.approx(abs(np.sqrt(values[[0, -1]]) - 1).max(), rel=1e-6)


def test_rows_needed_are_the_fewest_that_suffice():
    A = np.random.default_rng(0).standard_normal((2000, 4))
    norms = claims.Norms(A, 1.0, np.random.default_rng(1))
    found = claims.needed(norms, A, np.ones(2000), 1.0)
    assert 8 < found.rows < 200
    step = round(math.log(found.rows / 4) / math.log(claims._GRID))
    assert not claims._suffices(norms, np.ones(2000), claims.size(4, step - 6))


def test_bounds_meet_at_squares_but_for_their_constants():
    for rule in (claims.COMBINED, claims.PLAIN):
        assert claims.bound(rule, 2.0, 9, 9.0) == pytest.approx(9 / claims.DISTORTION**2)
    assert claims.worst_case(9, 1.0) == 9
    assert claims.worst_case(9, 4.0) == 81


def test_bad_coresets_are_told(monkeypatch, tmp_path):
    A, b = problems.heavy(1500, 4)
    sampler = {"Lewis": coresets.SAMPLERS["Lewis"]}
    monkeypatch.setattr(coresets, "SAMPLERS", sampler)
    monkeypatch.setattr(coresets, "DRAWS", 3)
    for allowed, good in ((1.0, True), (0.0, False)):
        monkeypatch.setattr(coresets, "DEMANDS", {("heavy", "Lewis", 40): (allowed, allowed)})
        rows = list(coresets.coreset_rows(Bench(False, tmp_path), "heavy", lambda _: (A, b)))
        assert [row.valid for row in rows] == [good, None]
        assert all(row.quality >= -1e-7 for row in rows)


def test_absent_data_skip_the_section(bench):
    for name in ("housing", "diamonds", "flights"):
        with pytest.raises(SkipSection, match="absent"):
            next(coresets.SECTIONS[f"Coresets of {name}"](bench))
