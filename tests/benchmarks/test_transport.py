"""The transport benchmark: its problems, what it demands, and how it judges solvers."""

import subprocess

import numpy as np
import pytest

from benchmarks import _transport_awkward as awkward
from benchmarks import _transport_contests as contests
from benchmarks import transport
from benchmarks._harness import Bench
from benchmarks._transport_peers import SOLVERS
from benchmarks._transport_problems import Problem, cloud_costs, densities, random_assignment

ALL = [contest for family in contests.CONTESTS.values() for contest in family]
ours = transport.ours


@pytest.mark.parametrize(
    "made", [random_assignment(7), densities(9, 1), densities(9, 2), cloud_costs(6, 8)]
)
def test_costs_are_scaled_and_masses_add_up_to_1(made):
    M, a, b = made
    assert M.max() == 1
    assert (len(a), len(b)) == M.shape
    assert a.sum() == pytest.approx(1)
    assert b.sum() == pytest.approx(1)


def test_the_error_is_that_of_rows_and_of_columns():
    problem = Problem(np.ones((2, 2)), np.array([0.5, 0.5]), np.array([0.25, 0.75]), 1.0)
    assert problem.error(np.outer(problem.a, problem.b)) == 0
    assert problem.error(np.full((2, 2), 0.25)) == pytest.approx(0.5)
    assert problem.error(np.array([[0.5, 0.5], [0.0, 0.0]])) == pytest.approx(1.5)


@pytest.mark.parametrize("contest", ALL)
def test_a_contest_says_how_every_solver_is_called_or_why_not(contest):
    assert list(contest.tolerances) == list(SOLVERS)
    for peer, tol in contest.tolerances.items():
        assert tol is None if peer == "ot.emd" else isinstance(tol, str) or 0 < tol < 1e-6
    assert all(bar is None or bar > 0 for bar in contest.bars.values())
    assert contest.bars.keys() <= SOLVERS.keys()


def test_small_problems_of_all_families_are_solved_and_have_no_bar(tmp_path, monkeypatch):
    bench = Bench(quick=True, data=tmp_path)
    monkeypatch.setattr(transport, "PACKAGES", {})
    monkeypatch.setattr(
        transport, "SOLVERS", dict.fromkeys(SOLVERS, lambda problem, *_: ours(problem))
    )
    for family in ("random", "lines", "clouds"):
        rows = list(transport.contest_rows(bench, family))
        assert len(rows) >= 4
        for row in rows:
            assert row.valid
            assert row.bar is None
            assert "NOT REACHED" not in row.note


def test_who_does_not_reach_the_error_is_no_bar(monkeypatch, tmp_path):
    contest = contests.CONTESTS["lines"][0]
    monkeypatch.setattr(transport, "PACKAGES", {})
    small = contest._replace(make=lambda bench: contest.make(Bench(True, tmp_path)))
    monkeypatch.setattr(transport, "CONTESTS", {"lines": [small]})
    wrong = dict.fromkeys(SOLVERS, lambda problem, *_: np.outer(problem.a, problem.b) * 1.001)
    right = dict.fromkeys(SOLVERS, lambda problem, *_: ours(problem))
    for solvers in (wrong, right):
        monkeypatch.setattr(transport, "SOLVERS", solvers)
        rows = {row.peer: row for row in transport.contest_rows(Bench(False, tmp_path), "lines")}
        row = rows["ot.sinkhorn"]
        assert ("NOT REACHED" in row.note) == (solvers is wrong)
        assert row.bar == (None if solvers is wrong else 4)


@pytest.mark.parametrize("name", awkward.inputs())
def test_awkward_inputs_are_solved_or_refused(name):
    problem = awkward.inputs()[name]
    assert awkward.verdict(awkward.OURS, name, problem) is None
    if name.startswith(awkward.REFUSED):
        with pytest.raises(ValueError, match=r"M|a |b "):
            ours(problem)


@pytest.mark.parametrize(("code", "found"), [(-11, "crash"), (1, "no end in 10 s")])
def test_a_solver_may_crash_or_never_end(monkeypatch, code, found):
    calls = []

    def child(program):
        calls.append(program)
        if len(calls) == 1:
            raise subprocess.CalledProcessError(code, "python")
        exec(program)  # noqa: S102

    monkeypatch.setattr(awkward, "fresh", child)
    monkeypatch.setattr(awkward, "inputs", lambda: {"reg 0.05": easy(), "another": easy()})
    verdicts = awkward.verdicts(awkward.OURS)
    assert [verdict[:2] for verdict in verdicts] == [["reg 0.05", found], ["another", None]]
    assert awkward.summary(verdicts)[0] == 1


def easy():
    return Problem(*random_assignment(5), 0.05)
