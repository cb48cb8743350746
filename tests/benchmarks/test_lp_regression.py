"""The benchmark of lp regression: its problems, its contestants, and how it judges solutions."""

import gzip
import json

import numpy as np
import pytest

from benchmarks import _lp_contests as contests
from benchmarks import _lp_peers as peers
from benchmarks import _lp_problems as problems
from benchmarks import _lp_races as races
from benchmarks import _tables as tables
from benchmarks._harness import Bench

REAL = [contest for part in contests.REAL.values() for contest in part]
ALL = [*contests.MAIN, *contests.SEVERAL, *contests.POWERS, *REAL, *contests.TWO_THREADS]
QUANTILES = "pinball pfn", "pinball pfn, tuned", "pinball fnb", "pyfixest Frisch-Newton"
ROUGH = {"statsmodels QuantReg": 1e-4, "numpy IRLS, 50 iterations": 1e-3}


@pytest.mark.parametrize("p", [1.0, 3.0, np.inf])
def test_the_objective_is_the_sum_of_powers(p):
    problem = problems.Problem(np.ones((3, 1)), np.array([0.0, 1.0, 4.0]), p)
    assert problem.objective([1.0]) == {1.0: 4.0, 3.0: 28.0, np.inf: 3.0}[p]


def test_residuals_above_a_high_quantile_weigh_more():
    problem = problems.Problem(np.ones((2, 1)), np.array([0.0, 4.0]), quantile=(0.9, 0.5))
    assert problem.objective([[1.0, 1.0]]) == pytest.approx(2 * (0.9 * 3 + 0.1 * 1) + 4)


@pytest.mark.parametrize("contest", ALL, ids=lambda contest: f"{contest.title} {contest.n}")
def test_contests_name_contestants(contest):
    assert set(contest.peers) <= peers.PEERS.keys()
    assert contest.bars.keys() <= set(contest.peers)
    assert len(set(contest.peers)) == len(contest.peers)


def solved(problem, name):
    """Excess of a peer's objective over ours, relative."""
    package = next((word for word in races.PACKAGES if word in name), None)
    if package:
        pytest.importorskip(package)
    least = problem.objective(races.ours(problem).x)
    x = peers.PEERS[name](problem, least)
    assert x.shape == (problem.A.shape[1], *np.shape(problem.quantile))
    return problem.objective(x) / least - 1


@pytest.mark.parametrize("name", [*QUANTILES, *ROUGH, "QuantileRegressor, highs"])
@pytest.mark.parametrize("quantile", [0.3, (0.2, 0.5)])
def test_peers_solve_quantiles(name, quantile):
    problem = problems.Problem(*problems.l1(300, 4), quantile=quantile)
    assert abs(solved(problem, name)) < ROUGH.get(name, 1e-7)


@pytest.mark.parametrize("name", ["numpy Newton", "scipy L-BFGS-B"])
@pytest.mark.parametrize("p", [1.5, 3.0, 8.0])
def test_loops_solve_powers_and_stop(name, p):
    assert abs(solved(problems.Problem(*problems.light(300, 4), p=p), name)) < 2 * peers.TOL


@pytest.mark.parametrize("name", ["linprog, highs-ipm", "linprog, dual"])
def test_programs_solve_the_largest_residual(name):
    assert abs(solved(problems.Problem(*problems.light(300, 4), p=np.inf), name)) < 1e-7


def small(contest, *names):
    return contest._replace(
        make=lambda bench, n: problems.l1(400, 4), peers=names, rounds=2
    )  # fmt: skip


def test_a_wrong_solution_and_an_unproved_one_miss_the_bar(monkeypatch, tmp_path):
    name = "numpy IRLS, 50 iterations"
    contest = small(contests.MAIN[0], name)._replace(bars={name: 1e-9})
    bench = Bench(False, tmp_path)
    title, timings = races.measured(contest, bench)
    (row,) = races.rows_of(bench, contest, title, timings)
    assert row.met
    assert row.ratio > 0
    for bad in (races.Score(1e-6, 0.0), races.Score(0.0, 1e-6)):
        timings[contests.OURS].result = bad
        (row,) = races.rows_of(bench, contest, title, timings)
        assert row.met is False


def test_a_peer_that_fails_is_told(monkeypatch, tmp_path):
    def fail(problem, least):
        raise np.linalg.LinAlgError

    monkeypatch.setitem(peers.PEERS, "pinball fnb", fail)
    monkeypatch.setattr(races, "need_packages", lambda bench, contests: None)
    (row,) = races.contest_rows(Bench(True, tmp_path), [small(contests.MAIN[0], "pinball fnb")])
    assert row.peer_quality is None
    assert "FAILS" in row.note
    assert row.valid


def test_two_threads_make_the_same_rows(monkeypatch, tmp_path, capsys):
    contest = small(contests.MAIN[0], "numpy IRLS, 50 iterations")
    monkeypatch.setattr(races, "TWO_THREADS", [contest])
    monkeypatch.setattr(races.os, "cpu_count", lambda: 2)

    def child(code, threads, variables):
        assert set(variables.values()) == {str(threads)}
        exec(code)  # noqa: S102
        return 0.0, json.loads(capsys.readouterr().out.splitlines()[-1])

    monkeypatch.setattr("benchmarks._two_threads.fresh", child)
    (row,) = races.two_threads_rows(Bench(True, tmp_path))
    assert row.clock == "wall"
    assert row.valid
    assert "2 threads" in row.note


def test_tables_become_designs(tmp_path):
    path = tmp_path / "table.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("y,x,kind\n1,2,b\n,3,a\n4,NA,a\n5,6,a\n7,8,c\n")
    A, b = tables.design(path, "y", ("x",), ("kind",))
    np.testing.assert_array_equal(A, [[1, 2, 1, 0], [1, 6, 0, 0], [1, 8, 0, 1]])
    np.testing.assert_array_equal(b, [1, 5, 7])


def test_columns_of_flights_are_those_of_the_published_table(tmp_path):
    path = tmp_path / "flights.csv.gz"
    head = "year,month,dep_delay,arr_delay,carrier,origin,air_time,distance,hour,minute"
    with gzip.open(path, "wt") as file:
        file.write(f"{head}\n2013,1,2,11,UA,EWR,227,1400,5,15\n2013,2,4,NA,UA,LGA,NA,1416,5,29\n")
        file.write("2013,2,4,20,OO,LGA,227,1416,5,29\n")
    A, b = tables.flights(path)
    np.testing.assert_array_equal(
        A, [[1, 2, 227, 1400, 5, 15, 1, 0, 0], [1, 4, 227, 1416, 5, 29, 0, 1, 1]]
    )
    np.testing.assert_array_equal(b, [11, 20])
