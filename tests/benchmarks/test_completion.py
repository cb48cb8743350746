"""The benchmark of completion: its problems, its peers, and how it judges ours."""

import json

import numpy as np
import pytest
from scipy import linalg

from benchmarks import _completion_dense as dense
from benchmarks import _completion_peers as peers
from benchmarks import _completion_phase as phase
from benchmarks import _completion_problems as problems
from benchmarks import _completion_ratings as ratings
from benchmarks import _completion_recovery as recovery
from benchmarks import _completion_scale as scale
from benchmarks import completion
from benchmarks._harness import Bench, SkipSection, Timing, compare


@pytest.fixture
def bench(tmp_path):
    return Bench(quick=True, data=tmp_path)


@pytest.fixture
def full(tmp_path):
    return Bench(quick=False, data=tmp_path)


@pytest.fixture(scope="module")
def stars():
    """Ratings of rank two."""
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((60, 2)), rng.standard_normal((40, 2))
    rows, columns = np.nonzero(rng.random((60, 40)) < 0.6)
    values = np.clip(np.rint(3.5 + np.einsum("ij,ij->i", left[rows], right[columns])), 1, 5)
    test = rng.random(len(rows)) < 0.1
    parts = (part[chosen] for chosen in (~test, test) for part in (rows, columns, values))
    return problems.Ratings(*parts, (60, 40))


# Problems


@pytest.mark.parametrize("oversampling", [1.05, 1.3, 3])
@pytest.mark.parametrize("kappa", [1, 100])
def test_matrices_to_recover_are_what_is_said(oversampling, kappa):
    m, n, r = 90, 70, 3
    problem = problems.recovery(m, n, r, oversampling, kappa, 0)
    rows, columns, values, shape = problem.known
    X = problem.left @ problem.right.T
    assert shape == (m, n)
    sizes = linalg.svdvals(X)
    np.testing.assert_allclose(sizes[:r] / sizes[r - 1], np.geomspace(kappa, 1, r), rtol=1e-9)
    assert np.mean(X**2) == pytest.approx(1)
    assert len(values) == round(oversampling * r * (m + n - r))
    assert len(np.unique(rows * n + columns)) == len(rows)
    assert min(np.bincount(rows, minlength=m).min(), np.bincount(columns, minlength=n).min()) > r
    np.testing.assert_allclose(X[rows, columns], values)


def test_errors_are_of_all_entries():
    problem = problems.recovery(60, 50, 3, 2, 10, 1)
    rng = np.random.default_rng(0)
    left, right = problem.left + 1e-3 * rng.standard_normal((60, 3)), problem.right
    X = problem.left @ problem.right.T
    wanted = linalg.norm(left @ right.T - X) / linalg.norm(X)
    assert problem.error(left, right) == pytest.approx(wanted)
    assert problem.error(problem.left, problem.right) < 1e-14
    assert problem.error(problem.left * np.nan, problem.right) == np.inf


def test_a_share_of_the_entries_is_wrong():
    problem = problems.recovery(200, 150, 3, 5, 10, 0)
    gaps = problems.with_outliers(problem, 0.2, 0).known.values - problem.known.values
    assert np.mean(gaps != 0) == pytest.approx(0.2, abs=0.03)
    assert np.std(gaps[gaps != 0]) == pytest.approx(10 * np.std(problem.known.values), rel=0.1)


def test_few_lines_have_many_of_the_ratings():
    known = problems.scale(0, 0.02)
    m, n = known.shape
    assert known.values.dtype == np.float32
    assert len(np.unique(known.rows * np.int64(n) + known.columns)) == len(known.values)
    counts = np.bincount(known.columns, minlength=n)
    assert counts[:10].mean() > 1.5 * counts[-10:].mean()
    assert np.mean(known.values) == pytest.approx(3.5, abs=0.05)
    assert np.std(known.values) == pytest.approx(np.sqrt(0.25 + 8 * 0.3**4), rel=0.05)


def test_a_photo_is_known_in_part():
    photo = problems.photo(every=8)
    assert photo.pixels.shape == (54, 240)
    assert len(photo.known.values) / photo.pixels.size == pytest.approx(0.3, abs=0.02)
    masked = photo.known.masked()
    np.testing.assert_array_equal(masked[~np.isnan(masked)], photo.pixels[~np.isnan(masked)])
    assert photo.psnr(photo.pixels + 0.1 * np.isnan(masked)) > 20 > photo.psnr(photo.pixels - 0.2)
    assert photo.psnr(np.where(np.isnan(masked), photo.pixels + 1e-3, 9)) > 59


def test_every_rating_is_held_out_or_not(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    triples = {"user": rng.integers(30, size=500), "item": rng.integers(20, size=500)}
    triples["rating"] = rng.integers(1, 6, size=500).astype(np.int8)
    (tmp_path / "completion").mkdir()
    np.savez(tmp_path / "completion/ml100k.npz", **triples)
    bench = Bench(quick=False, data=tmp_path)
    first, second = (problems.held_out(bench, seed) for seed in (0, 1))
    assert len(first.values) == 450 and len(first.test_values) == 50
    assert sum(first.values) + sum(first.test_values) == triples["rating"].sum()
    assert not np.array_equal(first.test_rows, second.test_rows)
    assert max(problems.held_out(bench, 0, 10).shape) <= 10


# Ratings


@pytest.mark.parametrize("name", [*ratings.PLAIN, *ratings.AVERAGED])
def test_contestants_predict_what_is_held_out(stars, name):
    prepare = peers.installed(ratings.PLAIN | ratings.AVERAGED).get(name)
    if prepare is None:
        pytest.skip("not installed")
    found = prepare(stars)()
    assert found.shape == stars.test_values.shape
    limit = 0.98 if name == "numpy: biases only" or "Cornac" in name or "Surprise" in name else 0.8
    assert stars.rmse(found) < limit * np.std(stars.test_values) + 0.05


def test_only_stars_are_predicted(stars):
    assert stars.rmse(np.where(stars.test_values == 5, 99, stars.test_values)) == 0


def test_what_is_not_installed_takes_no_part(monkeypatch):
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    left = peers.installed(ratings.PLAIN)
    assert set(left) == {ratings.OURS, ratings.REGRESSOR, "numpy: biases only"}


def test_bad_predictions_of_ratings_miss_the_bar(stars, full):
    timings = {name: Timing([3.5], [3.5], result=[0.92] * 3) for name in ratings.CMFREC}
    for errors, good in (([0.90, 0.91, 0.91], True), ([0.90, 0.91, 0.92], False)):
        timings[ratings.OURS] = Timing([1.0], [1.0], result=errors)
        rows = list(ratings.rows_of(full, "3 splits", timings, ratings.OURS, 0.908))
        assert len(rows) == len(ratings.CMFREC)
        assert all(row.bar == 3 and row.met is good for row in rows)
    timings[ratings.OURS].cpus = [1.2]
    timings[ratings.OURS].result = [0.9] * 3
    assert not next(ratings.rows_of(full, "3 splits", timings, ratings.OURS, 0.908)).met


def test_splits_take_turns(stars):
    other = stars._replace(test_values=stars.test_values + 1)
    contestants = {"3": lambda made: lambda: np.full(len(made.test_values), 3.0)}
    timing = ratings.measured(contestants, [stars, other], stars, 2)["3"]
    assert len(timing.cpus) == 4
    assert timing.result == [made.rmse(3.0) for made in (stars, other)]


# Many ratings


def test_the_time_of_a_sweep_is_what_more_of_them_take():
    known = problems.scale(0, 0.02)
    calls = {scale.OURS: scale.ours(known, 4)}
    timing = scale.sweeps_of(scale.in_turns(calls, 2), known)[scale.OURS]
    assert len(timing.cpus) == 2
    assert 0.45 < timing.result < 0.6
    assert scale._sweep([1.0, 2.0], [5.0, 4.0]) == [2.0, 1.0]
    assert scale._sweep([1.0, 2.0], [5.0, 4.0], least=True) == [1.5]


def test_slow_or_bad_sweeps_miss_the_bar(full):
    for ours, error, met in ((0.2, 0.5, True), (0.3, 0.5, False), (0.2, 0.6, False)):
        timings = {
            scale.OURS: Timing([ours], [1.0], result=error),
            "cmfrec CG float32": Timing([1.0], [1.0], result=0.5),
            "cmfrec CG float64": Timing([2.0], [1.0], result=0.5),
        }
        rows = {row.peer: row for row in scale.rows_of(full, "ratings", 16, timings)}
        assert rows["cmfrec CG float32"].met is met
        assert rows["cmfrec CG float64"].met is None


def test_peers_sweep_as_often(bench):
    pytest.importorskip("cmfrec")
    known = problems.scale(0, 0.02)
    timings = scale.measured(known, 4, scale.CG, 2)
    errors = [timing.result for timing in timings.values()]
    assert np.ptp(errors) < 0.05
    assert [len(timing.cpus) for timing in timings.values()].count(2) == 2


def test_memory_is_told_by_a_process_of_its_own(monkeypatch, bench, capsys):
    def child(code):
        exec(code)  # noqa: S102
        return 1.0, json.loads(capsys.readouterr().out.splitlines()[-1])

    monkeypatch.setattr(scale, "fresh", child)
    monkeypatch.setattr(scale, "BARS", {4: 1.0})
    (row,) = scale.memory_rows(bench)
    assert row.clock == "memory" and row.bar is None
    assert "bytes an entry" in row.note


# Recovery


@pytest.fixture(scope="module")
def easy():
    """Matrix that any solver recovers."""
    return problems.recovery(50, 40, 2, 5, 1, 0)


@pytest.mark.parametrize("name", [recovery.OURS, recovery.L1, recovery.ALS, recovery.RIDGE])
def test_solvers_of_exact_problems_return_factors(easy, name):
    left, right = recovery.SOLVERS[name](easy)
    assert left.shape == (50, 2) and right.shape == (40, 2)
    assert easy.error(left, right) < (0.5 if name == recovery.RIDGE else 1e-6)


def test_peers_return_factors(easy):
    pytest.importorskip("cmfrec")
    left, right = peers.cmfrec_factors(easy, 0.1, niter=20)
    assert left.shape == (50, 2) and right.shape == (40, 2)
    assert easy.error(left, right) < 0.1


def test_draws_that_are_not_recovered_or_too_slow_miss_the_bar(full):
    case = recovery.Case(2, 10, 3, 2)
    for seconds, errors, met in (
        ([1, 1, 5.9], [1e-9, 1e-9, 1], True),
        ([1, 1, 6.1], [1e-9] * 3, False),
        ([1, 1, 1], [1e-9, 2e-3, np.inf], False),
    ):
        mine = recovery.Draws(seconds, errors)
        row = recovery.demanded_row(full, "p", case, "ours", mine, recovery.RECOVERED)
        assert row.met is met
        json.dumps(row.as_dict("s"), allow_nan=False)


def test_a_quick_run_of_recovery_tells_errors(bench, monkeypatch):
    case = recovery.Case(5, 10, 2, 2, 0.1)
    rows = list(recovery.compared_rows(bench, [case], recovery.L1, (recovery.RIDGE,), 1e-6))
    assert [row.bar for row in rows] == [None, None]
    assert rows[0].quality == 2
    assert (rows[1].quality, rows[1].peer_quality) == (1, 0)


def test_points_of_the_picture_are_shares(bench):
    rows = list(phase.phase_rows(bench))
    assert len(rows) == len(phase.OVERSAMPLINGS[::3])
    assert all(0 <= share <= 1 for row in rows for share in (row.quality, row.peer_quality))
    assert rows[-1].quality == 1
    assert rows[0].problem == "60x60 kappa=10 r=2 os=1.1"


# Pictures and tables


def test_soft_impute_is_where_nothing_changes():
    photo = problems.photo(every=16)
    found, gaps = dense.soft_impute(photo.known, 1.0, 1e-9), np.isnan(photo.known.masked())
    U, sizes, Vt = linalg.svd(np.where(gaps, found, photo.pixels), full_matrices=False)
    np.testing.assert_allclose((U * np.maximum(sizes - 1, 0)) @ Vt, found, atol=1e-6)


def test_pictures_are_filled(bench):
    rows = list(dense.photo_rows(bench))
    assert {row.peer for row in rows} >= {dense.SOFT, dense.HASTY}
    assert all(row.quality > 17 and row.peer_quality > 17 for row in rows)
    assert all(row.bar is None for row in rows)


def test_a_dim_or_slow_picture_misses_the_bar(full):
    photo = problems.photo(every=16)
    for seconds, psnr, met in ((1.0, 25.5, True), (1.0, 25.3, False), (1.4, 25.5, False)):
        timings = {
            name: Timing([25.0], [25.0], result=25.0) for name in (dense.SOFT, dense.HASTY)
        } | {name: Timing([seconds], [1.0], result=psnr) for name in (dense.OURS, dense.WIDE)}
        rows = list(dense.photo_rows_of(full, photo, (32, 2.0), timings))
        assert [row.met for row in rows] == [met, None, None, None]


def test_imputers_are_compared_before_a_classifier(bench):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 2)) @ rng.standard_normal((2, 6))
    rows = list(dense.table_rows("table", X, X[:, 0] > 0))
    assert [row.peer for row in rows] == list(dense.IMPUTERS)[1:]
    assert all(0.7 < row.quality <= 1 and 0.5 < row.peer_quality <= 1 for row in rows)


def test_errors_of_tables_are_in_units_of_columns():
    X = np.array([[1.0, 10.0, 3.0], [3.0, 30.0, 3.0]])
    gaps = np.array([[True, False, True], [False, True, False]])
    filled = X + gaps * [[1.0, 0, 7.0], [0, 10.0, 0]]
    assert dense.error_of(filled, X, gaps) == pytest.approx(1)


@pytest.mark.parametrize("section", ["Ratings", "Ratings, averaged"])
def test_absent_data_skip_the_section(bench, section):
    with pytest.raises(SkipSection):
        next(iter(completion.SECTIONS[section](bench)))


def test_a_race_of_two_threads_makes_the_same_rows(monkeypatch, bench, capsys):
    pytest.importorskip("cmfrec")

    def child(part, *arguments):
        scale.race(*arguments)
        told, lists = json.loads(capsys.readouterr().out.splitlines()[-1])
        names = {name: compare({name: lambda: None}, rounds=1)[name] for name in lists}
        for name, (*_, result) in lists.items():
            names[name].result = result
        return names, told

    monkeypatch.setattr(scale, "raced", child)
    monkeypatch.setattr(scale, "BARS", {4: 1.0})
    rows = list(scale.two_threads_rows(bench))
    assert {row.peer for row in rows} == set(scale.CG)
    assert all(row.clock == "wall" and row.bar is None and row.quality > 0.4 for row in rows)
