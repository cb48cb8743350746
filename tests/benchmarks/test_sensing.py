"""The benchmark of sensing: its problems, its peers, and how it judges ours."""

import functools
import json

import numpy as np
import pytest
from scipy import linalg

from benchmarks import _sensing_courses as courses
from benchmarks import _sensing_large as large
from benchmarks import _sensing_noise as noise
from benchmarks import _sensing_peers as peers
from benchmarks import _sensing_problems as problems
from benchmarks import _sensing_recovery as recovery
from benchmarks import _sensing_regression as regression
from benchmarks._harness import Bench
from lowrank_la.sensing import scaled_gd


@pytest.fixture
def full(tmp_path):
    return Bench(quick=False, data=tmp_path)


def easy(symmetric=True, seed=0):
    A = problems.gaussian((12, 12), 200, seed, symmetric)
    M = problems.low_rank((12, 12), 2, 10, seed, symmetric)
    return problems.Sensing(A, A @ M.ravel(), M)


# Problems


@pytest.mark.parametrize("symmetric", [True, False])
def test_matrices_and_measurements_are_what_is_said(symmetric):
    A, y, M = easy(symmetric)
    np.testing.assert_allclose(linalg.svdvals(M)[:3], [1, 0.1, 0], atol=1e-12)
    assert easy(symmetric).symmetric is symmetric
    if symmetric:
        assert linalg.eigvalsh(M).min() > -1e-12
        pictures = A.reshape(-1, 12, 12)
        np.testing.assert_array_equal(pictures, pictures.transpose(0, 2, 1))
    assert linalg.norm(y) == pytest.approx(linalg.norm(M), rel=0.2)


def test_a_share_of_the_values_is_wrong_by_ten_deviations():
    y = np.random.default_rng(0).normal(size=5000)
    made = problems.Sensing(None, y, np.eye(2))
    gaps = problems.with_outliers(made, 0.3, 0).y - y
    assert np.mean(gaps != 0) == pytest.approx(0.3, abs=0.03)
    assert np.std(gaps[gaps != 0]) == pytest.approx(10, rel=0.1)
    assert np.std(problems.with_noise(made, 0.5, 0).y - y) == pytest.approx(0.5, rel=0.1)


def test_the_picture_is_a_rectangle():
    X, y, coefficient = problems.image_regression(False)
    assert X.shape == (2000, 4096) and y.shape == (2000,)
    rows, columns = np.nonzero(coefficient)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 47, 20, 43)
    assert np.std(y - X @ coefficient.ravel()) == pytest.approx(3, rel=0.1)


def test_errors_are_relative_to_the_matrix():
    rng = np.random.default_rng(0)
    given, found = rng.normal(size=(2, 9, 2)), rng.normal(size=(2, 9, 3))
    wanted = linalg.norm(found[0] @ found[1].T - given[0] @ given[1].T)
    wanted /= linalg.norm(given[0] @ given[1].T)
    assert problems.relative_of_factors(given, found) == pytest.approx(wanted)
    M = given[0] @ given[1].T
    assert problems.Sensing(None, None, M).error(*found) == pytest.approx(wanted)
    assert problems.relative(M * np.nan, M) == np.inf


# Courses


def test_a_course_ends_where_the_matrix_is_met():
    problem = easy()
    long, short = (courses.course(scaled_gd, problem, 2, t, 200) for t in (1e-10, 1e-3))
    assert long.arrived and short.arrived
    assert short.iterations < long.iterations
    assert long.error < 1e-10 < short.error < 1e-3
    cut = courses.course(scaled_gd, problem, 2, 1e-10, 3)
    assert cut.iterations is None and cut.n_iter == 3
    assert "stopped after 3" in cut.told()


def test_patience_ends_a_course_that_gets_nowhere():
    stalls = courses.published(10, 1.0)
    stopped = courses.course(stalls, easy(), 6, 1e-12, 2000, patience=50)
    assert not stopped.arrived and stopped.n_iter < 1000


@pytest.mark.parametrize(
    ("found", "met"),
    [
        ([(30, True), (120, True)], True),
        ([(30, True), (121, True)], False),
        ([(30, True), (500, False)], False),
        ([(500, False)], False),
    ],
)
def test_draws_that_are_slow_or_do_not_arrive_miss_the_bar(full, found, met):
    mine = courses.Courses(
        courses.Course(n, arrived, 0.1, 1e-11 if arrived else 1e-3) for n, arrived in found
    )
    row = courses.demanded_row(full, "p", "ours", mine, 120, 1e-10)
    assert row.met is met
    json.dumps(row.as_dict("s"), allow_nan=False)


@pytest.mark.parametrize(("last", "met"), [(200, True), (2000, False)])
def test_growth_is_judged_by_logarithms(full, last, met):
    found = [courses.Courses([courses.Course(n, True, 0.1, 1e-11)]) for n in (90, 100, 150, last)]
    row = recovery.growth_row(full, "method", (1, 10, 100, 1000), found)
    assert row.met is met
    assert row.peer_iterations == pytest.approx(300)


# Peers


@pytest.mark.parametrize("name", ["nuclear norm, held out", "TensorLy CPRegressor, rank 1"])
def test_regressions_of_low_rank_come_near(name):
    fit = peers.installed(peers.REGRESSIONS).get(name)
    if fit is None:
        pytest.skip("not installed")
    made = problems.image_regression(True)
    assert problems.relative(fit(made.A, made.y), made.matrix) < 0.4


def test_proximal_steps_end_at_the_minimiser():
    problem = easy(symmetric=False)
    penalty = 0.1 * np.linalg.norm((problem.A.T @ problem.y).reshape(12, 12), 2)
    found = peers.proximal_path(problem.A, problem.y, [0.5, 0.1])[-1]
    gradient = (problem.A.T @ (problem.A @ found.ravel() - problem.y)).reshape(12, 12)
    assert np.linalg.norm(gradient, 2) == pytest.approx(penalty, rel=1e-2)
    assert -np.vdot(gradient, found) == pytest.approx(
        penalty * linalg.svdvals(found).sum(), rel=1e-2
    )


def test_conic_solvers_find_the_matrix():
    pytest.importorskip("cvxpy")
    for symmetric in True, False:
        made = regression.small(8, 1, 5, symmetric, 0)
        solver = functools.partial(peers.nuclear_cvxpy, "CLARABEL")
        assert regression.solved(solver, [made])[1] < 1e-5


def test_what_is_not_installed_takes_no_part(monkeypatch):
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    assert not any("TensorLy" in name for name in peers.installed(peers.REGRESSIONS))


# Rows


def test_errors_far_above_theory_miss_the_bar(full, monkeypatch):
    family = noise.Family((10, 10), 1, True)
    noisy = [family.exact(0)]
    for error, met in ((0.19, True), (0.21, False)):
        monkeypatch.setattr(noise, "solved", lambda *a, e=error, **k: (0.1, e, 10))
        assert noise.noise_row(full, family, 0.1, 1, noisy, [0.1]).met is met


def test_large_problems_tell_time_and_memory(full, capsys):
    large.recovered("transform", 40, 2, "dct")
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["error"] < large.TARGET and told["m"] == 800
    told |= {"peak": 0.01}
    rows = list(large.rows_of(full, ("transform", 40, 2, "dct"), told))
    assert [row.clock for row in rows] == ["wall", "memory"]
    assert all(row.met for row in rows)
    assert not next(large.rows_of(full, ("transform", 40, 2, "dct"), told | {"wall": 61})).met
    assert not next(large.rows_of(full, ("transform", 40, 2, "dct"), told | {"error": 1})).met
