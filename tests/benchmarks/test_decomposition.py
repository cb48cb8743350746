"""The benchmark of decompositions: its problems, its peers, and how it judges ours."""

import json

import numpy as np
import pytest
from scipy import linalg

from benchmarks import _decomposition_cur as contests
from benchmarks import _decomposition_kernels as kernels
from benchmarks import _decomposition_neighbors as neighbors
from benchmarks import _decomposition_peers as peers
from benchmarks import _decomposition_problems as problems
from benchmarks import _decomposition_variants as variants
from benchmarks import decomposition
from benchmarks._harness import Bench, SkipSection, compare
from lowrank_la.decomposition import cur


@pytest.fixture(scope="module")
def matrix():
    return problems.poly(quick=True)


@pytest.fixture
def bench(tmp_path):
    return Bench(quick=True, data=tmp_path)


# Problems


def test_singular_values_are_those_that_were_asked_for(matrix):
    values = linalg.svdvals(matrix)
    np.testing.assert_allclose(values[:150], (1.0 + np.arange(150)) ** -2, rtol=1e-9)
    assert values[150] < 1e-12
    A, values = problems.geometric(0.8, quick=True)
    np.testing.assert_allclose(linalg.svdvals(A)[:40], values[:40], rtol=1e-8)


def test_the_kernel_is_one_of_points():
    A = problems.kernel(quick=True)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((500, 4)), 0.8 * rng.standard_normal((500, 4)) + 0.3
    assert A[3, 7] == pytest.approx(np.exp(-np.sum((x[3] - y[7]) ** 2) / 4))


def test_the_photo_is_grey():
    A = problems.photo()
    assert A.shape == (427, 640)
    assert A.min() >= 0 and 0.9 < A.max() <= 1


def test_shifted_cosines_are_the_largest_of_nine():
    rng = np.random.default_rng(0)
    queries, items = rng.random((3, 64)), rng.random((5, 64))
    found = problems.shifted_cosines(queries, items)
    frame = np.zeros((10, 10))
    frame[1:9, 1:9] = queries[2].reshape(8, 8)
    shifts = [frame[i : i + 8, j : j + 8].ravel() for i in range(3) for j in range(3)]
    right = max(s @ items[4] / linalg.norm(s) / linalg.norm(items[4]) for s in shifts)
    assert found[2, 4] == pytest.approx(right)


# Rows and columns


@pytest.mark.parametrize("name", [*peers.OURS, *peers.PEERS])
def test_contestants_choose_rows_and_columns(matrix, name):
    if name == peers.MATTER:
        pytest.importorskip("skmatter")
    chosen = (peers.OURS | peers.PEERS)[name](matrix, 12, 0)
    for indices, n in zip(chosen[:2], matrix.shape, strict=True):
        if indices is not None:
            assert len(indices) == len(np.unique(indices)) == 12
            assert np.min(indices) >= 0 and np.max(indices) < n
    best = linalg.norm(linalg.svdvals(matrix)[12:])
    found = peers.errors(matrix, chosen)
    assert best * 0.999 < found.columns < 5 * best
    assert (found.optimal is None) == (name == peers.SCIPY)
    if chosen.error is not None:
        assert chosen.error == pytest.approx(found.optimal, rel=1e-6)


def test_errors_are_those_of_pseudo_inverses(matrix):
    rng = np.random.default_rng(0)
    rows, columns = rng.choice(400, 7, replace=False), rng.choice(300, 7, replace=False)
    found = peers.errors(matrix, peers.Chosen(rows, columns))
    C, R, crossing = matrix[:, columns], matrix[rows], matrix[np.ix_(rows, columns)]
    spanned = C @ linalg.pinv(C) @ matrix
    assert found.columns == pytest.approx(linalg.norm(matrix - spanned))
    assert found.optimal == pytest.approx(linalg.norm(matrix - spanned @ linalg.pinv(R) @ R))
    assert found.cross == pytest.approx(linalg.norm(matrix - C @ linalg.pinv(crossing) @ R))
    result = cur(matrix, 7, rng=0)
    chosen = peers.Chosen(result.row_indices, result.column_indices)
    assert result.error == pytest.approx(peers.errors(matrix, chosen).optimal)


def test_pivots_of_elimination_are_largest_of_what_is_left():
    tall = np.random.default_rng(0).standard_normal((30, 6))
    left, order = tall.copy(), peers._lu_pivots(tall)
    for j in range(6):
        assert order[j] == np.argmax(abs(left[:, j]))
        left -= np.outer(left[:, j] / left[order[j], j], left[order[j]])


@pytest.mark.parametrize("contest", contests.CONTESTS, ids=lambda contest: contest.title)
def test_contests_name_contestants(contest):
    pairs = list(contest.pairs())
    assert len(pairs) == len(set(pairs))
    assert {ours for ours, _ in pairs} <= set(peers.OURS)
    assert {peer for _, peer in pairs} == set(contest.peers) <= set(peers.PEERS)
    assert set(contest.bars) <= set(contest.peers)


def small(contest):
    chosen = peers.LUPP, peers.SKETCH_CPQR, peers.SVD
    return contest._replace(
        make=lambda quick: contest.make(True), k=20, rounds=3, peers=chosen, bars={peers.LUPP: 1e-9}
    )


def test_bad_choices_miss_the_bar(monkeypatch, tmp_path):
    contest, bench = small(contests.POLY), Bench(False, tmp_path)
    title, timings = contests.measured(contest, False)
    assert title == "poly 400x300 k=20"
    best = timings[peers.SKETCH_CPQR].result.errors.optimal
    for share, good in ((0.5, True), (1.2, False)):
        found = peers.Errors(1.0, share * best, 1.0)
        timings[peers.CUR_].result = contests.Median(found, 3)
        (barred,) = (row for row in contests.rows_of(bench, contest, title, timings) if row.bar)
        assert (barred.ours, barred.peer, barred.met) == (peers.CUR_, peers.LUPP, good)


def test_errors_are_in_units_of_singular_vectors(bench):
    rows = list(contests.contest_rows(bench, small(contests.PHOTO)))
    assert all(row.bar is None and row.valid is None for row in rows)
    for row in rows:
        assert 1 < row.quality < 4
        if row.peer == peers.SVD:
            assert row.peer_quality == pytest.approx(1, abs=0.01)


def test_columns_alone_are_compared_with_columns(bench):
    contest = small(contests.PHOTO)._replace(peers=(peers.SCIPY,), bars={})
    (row,) = contests.contest_rows(bench, contest)
    assert row.measure == "error of the columns"
    assert "with our rows" in row.note


def test_a_race_of_two_threads_makes_the_same_rows(monkeypatch, bench, capsys):
    def child(part, quick):
        contests.race(quick)
        told, lists = json.loads(capsys.readouterr().out.splitlines()[-1])
        names = {name: compare({name: lambda: None}, rounds=1)[name] for name in lists}
        for name, (*_, result) in lists.items():
            names[name].result = result
        return names, told

    monkeypatch.setattr(contests, "raced", child)
    rows = list(contests.two_threads_rows(bench))
    assert {row.peer for row in rows} == {peers.LUPP, peers.LUPP_FULL, peers.SCIPY, peers.SVD}
    assert all(row.clock == "wall" and row.bar is None and row.quality > 1 for row in rows)


# Tolerances, interpolation, sparse data


@pytest.mark.parametrize("tol", [0.5, 0.1, 1e-3])
def test_the_least_rank_is_the_least(tol):
    values = 0.8 ** np.arange(60)
    rank = variants.least_rank(values, tol)
    norms = [linalg.norm(values[r:]) / linalg.norm(values) for r in (rank - 1, rank)]
    assert norms[1] <= tol < norms[0]


def test_ranks_and_errors_of_tolerances_are_judged(monkeypatch):
    A, values = problems.geometric(0.5, quick=True)
    row = variants.tolerance_row(A, values, 1e-3, "decay .5")
    assert row.valid and 1 <= row.quality <= 1.4
    monkeypatch.setattr(variants, "cur", lambda A, tol, rng: cur(A, tol=tol / 1e6, rng=rng))
    assert variants.tolerance_row(A, values, 1e-3, "decay .5").valid is False
    monkeypatch.setattr(variants, "cur", lambda A, tol, rng: cur(A, tol=tol * 100, rng=rng))
    assert variants.tolerance_row(A, values, 1e-3, "decay .5").valid is False


def test_coefficients_put_the_columns_together(matrix):
    for call in (variants.our_coefficients, variants.scipy_coefficients):
        columns, coefficients = call(matrix, 40, 0)
        error = linalg.norm(matrix - matrix[:, columns] @ coefficients)
        assert error < 3 * linalg.norm(linalg.svdvals(matrix)[40:])


@pytest.mark.parametrize(
    "section",
    [
        "CUR of sparse data",
        "Randomly pivoted Cholesky",
        "Randomly pivoted Cholesky, two threads (wall time)",
    ],
)
def test_absent_data_skip_the_section(bench, section):
    with pytest.raises(SkipSection, match="absent"):
        next(iter(decomposition.SECTIONS[section](bench)))


# Kernels


@pytest.fixture(scope="module")
def points():
    return problems.cloud(400)


def test_what_users_write_is_a_pivoted_cholesky_factor(points):
    kernel, factor = kernels._kernel(points, points), kernels.script(points, 300, 0)
    left = kernel - factor @ factor.T
    assert linalg.eigvalsh(left).min() > -1e-10
    assert np.sum(np.diag(left) < 1e-12) == 300
    assert kernels.trace_error(factor) == pytest.approx(np.trace(left) / 400)
    errors = [
        np.mean([kernels.trace_error(kernels.CONTESTANTS[name](points, 60, s)) for s in range(8)])
        for name in (kernels.SCRIPT, kernels.OURS, kernels.SIMPLE)
    ]
    assert np.ptp(errors) < 0.03 * np.mean(errors)


@pytest.mark.parametrize("name", kernels.CONTESTANTS)
def test_features_have_the_kernel_as_products(points, name):
    factor = kernels.CONTESTANTS[name](points, 399, 0)
    kernel = kernels._kernel(points, points)
    assert factor.shape == (400, 399)
    np.testing.assert_allclose(factor @ factor.T, kernel, atol=0.3)
    assert kernels.trace_error(factor) < 2e-3


def test_kernels_that_are_badly_approximated_miss_the_bar(points, tmp_path):
    timings = kernels.measured(points, 20, 1, (kernels.OURS, kernels.NYSTROEM))
    for mine, good in ((1e-3, True), (2e-3, False), (1.6e-3, False)):
        timings[kernels.OURS].result = mine
        timings[kernels.NYSTROEM].result = 1e-2
        (row,) = kernels.rows_of(Bench(False, tmp_path), "points", timings)
        assert row.valid is good
        assert row.bar == 2


def test_memory_is_told_by_a_process_of_its_own(monkeypatch, bench, capsys):
    def child(code):
        exec(code)  # noqa: S102
        return 1.0, json.loads(capsys.readouterr().out.splitlines()[-1])

    monkeypatch.setattr(problems, "cloud", lambda n: np.random.default_rng(0).random((500, 3)))
    monkeypatch.setattr(kernels, "fresh", child)
    rows = list(kernels.large_rows(bench))
    assert {row.ours for row in rows} == {kernels.OURS, kernels.MAP}
    assert {row.clock for row in rows} <= {"cpu", "memory"}
    assert all(0 < row.quality < 1e-2 for row in rows)


# Neighbours


@pytest.fixture(scope="module")
def images():
    full = problems.digits()
    return full._replace(queries=full.queries[:20], to_queries=full.to_queries[:20])


def test_searches_keep_to_their_budget(images):
    right = neighbors.brute_force(images)[0]()
    for call, table in (
        neighbors.ours(images, 60, "adaptive"),
        neighbors.ours(images, 60, "fixed"),
        neighbors.anncur(images, 60),
    ):
        found = call()
        assert found.shape == (20, neighbors.K)
        assert table.n_evaluations == 20 * 60
        assert neighbors.recall(found, right) > 0.7
    assert neighbors.recall(right, right) == 1
    assert neighbors.recall(right + len(images.items), right) == 0


def test_all_evaluations_find_the_nearest(images):
    found = neighbors.brute_force(images)[0]()
    values = images.to_queries[3]
    np.testing.assert_array_equal(np.sort(values[found[3]]), np.sort(values)[-neighbors.K :])


def test_a_low_recall_or_too_many_evaluations_are_told():
    timings = compare({name: lambda: None for name in ("CURNeighbors", "numpy ANNCUR")}, rounds=1)
    timings[neighbors.BRUTE] = timings[neighbors.NAIVE]
    timings[neighbors.NAIVE].result = neighbors.Found(0.9, 60)
    for found, good in (((0.96, 60), True), ((0.94, 60), False), ((0.96, 61), False)):
        timings[neighbors.ADAPTIVE].result = neighbors.Found(*found)
        timings[neighbors.BRUTE].result = neighbors.Found(1.0, 1200)
        rows = neighbors.rows_of(timings, "digits", neighbors.ADAPTIVE, 60, 20)
        assert [row.valid for row in rows] == [good, good]
