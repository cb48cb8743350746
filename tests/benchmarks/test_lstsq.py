"""The least-squares benchmark: its problems, what it demands, and how it judges solutions."""

import json

import numpy as np
import pytest
from scipy import linalg

from benchmarks import _lstsq_awkward as awkward
from benchmarks import _lstsq_contests as contests
from benchmarks import _lstsq_problems as problems
from benchmarks import _lstsq_races as races
from benchmarks import _lstsq_sketches as sketches
from benchmarks._harness import Bench
from benchmarks._lstsq_contestants import OURS, PEERS, csr_sparse_sign, dct_sketch

ALL = [*contests.MAIN, contests.HARD, *contests.OTHERS]
APPROXIMATE = {"lstsq, sketch", "clarkson_woodruff, lstsq"}


@pytest.fixture(scope="module")
def problem():
    return problems.haar(1500, 20, 1e3, 1e-3)


@pytest.mark.parametrize(
    "made",
    [problems.haar(20_000, 7, 1e6, 0.5), problems.coherent(2000, 7)],
    ids=["haar", "coherent"],
)
def test_problems_are_what_they_say(made):
    U, s, Vt = linalg.svd(made.A, full_matrices=False)
    np.testing.assert_allclose(made.s, s, rtol=1e-8)
    np.testing.assert_allclose(abs(np.sum(made.V.T * Vt, axis=1)), 1.0, rtol=1e-8)
    residual = made.b - made.A @ made.x
    assert linalg.norm(U.T @ residual) < 1e-12 * linalg.norm(residual)
    assert linalg.norm(U, axis=1).max() < 0.1 or made.s[-1] > 1e-2  # rows of leverage one


def test_the_residual_has_the_size_that_was_asked_for(problem):
    assert linalg.norm(problem.x) == pytest.approx(1.0)
    assert linalg.norm(problem.b - problem.A @ problem.x) == pytest.approx(1e-3)


def test_the_backward_error_is_that_of_the_least_change_but_for_a_factor(problem):
    rng = np.random.default_rng(0)
    for size in (1e-12, 1e-6):
        change = size * rng.standard_normal(problem.A.shape)
        x = linalg.lstsq(problem.A + change, problem.b)[0]
        estimate = problem.backward_error(x) * linalg.norm(problem.A)
        assert linalg.norm(change) / 100 < estimate < 2 * linalg.norm(change)


@pytest.mark.parametrize("name", [*OURS, *PEERS])
def test_contestants_solve(problem, name):
    found = (OURS | PEERS)[name](problem.A, problem.b)
    assert found.x.shape == (20,)
    assert problem.forward_error(found.x) < (1.0 if name in APPROXIMATE else 1e-8)
    assert (found.n_passes is None) == (name in PEERS)


@pytest.mark.parametrize("contest", ALL, ids=lambda contest: f"{contest.title} {contest.n}")
def test_contests_name_contestants(contest):
    assert contest.contestants().keys() == {*contest.ours, *contest.peers}
    pairs = list(contest.pairs())
    assert len(pairs) == len(set(pairs)) == len(contest.peers) + len(contest.ours) - 1
    assert contest.bars.keys() <= set(pairs)


def test_other_settings_have_pairs_of_the_main_one():
    for contest in contests.MAIN:
        assert contest.bars.keys() <= set(contest.short().pairs()) <= set(contest.pairs())


def small(contest):
    return contest._replace(make=lambda n, d: contest.make(800, 10), n=800, d=10)


def test_a_wrong_solution_misses_the_bar(monkeypatch, tmp_path):
    contest = small(contests.MAIN[0])._replace(
        bars={("lstsq", "numpy lstsq"): 1e-9}, slack=100.0
    )  # beside one driver of LAPACK the errors of one draw vary
    bench = Bench(False, tmp_path)
    for wrong in (False, True):
        if wrong:
            monkeypatch.setitem(OURS, "lstsq", lambda A, b: PEERS["normal equations"](A, b))
        rows = list(races.contest_rows(bench, contest))
        (row,) = (row for row in rows if (row.ours, row.peer) == ("lstsq", "numpy lstsq"))
        assert row.met is not wrong
        assert row.quality > 0


def test_slow_contestants_have_one_turn_unless_they_must_last(monkeypatch):
    monkeypatch.setattr(races, "SLOW", -1.0)
    calls = []
    contestants = {name: lambda name=name: calls.append(name) for name in "ab"}
    timings = races.in_turns(contestants, {"a"}, 3)
    assert calls == list("abaa")
    assert [len(timings[name].cpus) for name in "ab"] == [3, 1]


def test_a_race_in_another_setting_makes_the_same_rows(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(races, "MAIN", [small(contests.MAIN[0])])

    def child(code, threads, variables):
        exec(code)  # noqa: S102
        return 0.0, json.loads(capsys.readouterr().out.splitlines()[-1])

    monkeypatch.setattr(races, "fresh", child)
    rows = list(races.setting_rows(Bench(True, tmp_path), threads=2))
    assert {row.peer for row in rows} == set(contests.SHORT)
    assert all(row.clock == "wall" and row.ratio > 0 for row in rows)
    assert all("BLAS with" in row.note for row in rows)


def test_sparse_columns_and_a_row_of_leverage_one():
    X, y = problems.one_hot(3000)
    assert X.shape == (3000, 4 + 16 + 3 + 105)
    assert X.nnz == 7 * 3000
    assert np.diff(X.tocsc().indptr).tolist().count(1) >= 1
    np.testing.assert_array_equal(X[:, 4:20].sum(axis=1), 1)
    assert problems.one_hot(3000, drop_first=True)[0].shape == (3000, 4 + 15 + 2 + 104)
    assert y.shape == (3000,)


def test_the_exact_fit_is_that_of_a_well_conditioned_problem():
    A, b, _ = problems.plain(200, 5, scales=np.logspace(0, 9, 5))
    norm, fit = problems.exact(A, b)
    x = linalg.lstsq(A / linalg.norm(A, axis=0), b)[0]
    np.testing.assert_allclose(fit, (A / linalg.norm(A, axis=0)) @ x, rtol=1e-12, atol=1e-4)
    assert norm == pytest.approx(linalg.norm(b - fit), rel=1e-8)


def test_the_residual_of_spikes_lives_on_few_rows():
    for count in (1, 12):
        A, b = problems.spikes(count=count)
        r = b - A @ linalg.lstsq(A, b)[0]
        assert np.sort(r**2)[-count:].sum() > 0.95 * (r @ r)


def test_what_users_write_is_a_sketch(problem):
    S = csr_sparse_sign(300, 1500, 8)
    assert S.shape == (300, 1500)
    np.testing.assert_allclose(np.diff(S.tocsc().indptr), 8, atol=1)
    for rows in (S @ problem.A, dct_sketch(300, problem.A)):
        assert rows.shape == (300, 20)
        assert sketches.distortion(rows @ (problem.V / problem.s)) < 0.6


def test_the_entry_wise_ratio_tells_sketches_apart():
    A, b = problems.spikes(n=2048, d=16)
    good, bad = (sketches.drawn(name, A, b, 100) for name in ("SRHT", sketches.UNIFORM))
    assert good.entry < 1.3 < bad.entry
    assert good.fit < 0.6 < bad.fit


def test_small_awkward_problems_are_solved_and_have_no_bar(monkeypatch, tmp_path):
    bench = Bench(quick=True, data=tmp_path)
    for name in ("one_hot", "plain"):
        make = getattr(problems, name)
        monkeypatch.setattr(awkward, name, lambda n, *args, make=make: make(n // 10, *args))
    for section in (awkward.one_hot_rows, awkward.float32_rows):
        for row in section(bench):
            assert row.valid
            assert row.bar is None
