import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.transport import solve, solve_path
from tests.reference import transport as naive

REGS = [1.0, 0.3, 0.1, 0.03, 0.01, 3e-3]


def random_problem(n=30, m=40, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.random(n), rng.random(m)
    return rng.random((n, m)), a / a.sum(), b / b.sum()


@pytest.mark.parametrize("method", ["auto", "sinkhorn", "ssns"])
def test_solutions_of_each(method):
    M, a, b = random_problem()
    results = solve_path(M, a, b, regs=REGS, method=method)
    assert [result.reg for result in results] == REGS
    for result in results:
        assert result.converged
        assert sum(naive.marginal_errors(result.plan, a, b)) <= 1e-8 * (1 + 1e-6)
        alone = solve(M, a, b, reg=result.reg)
        np.testing.assert_allclose(result.plan, alone.plan, atol=1e-7)


def test_values_fall(global_random_seed):
    M, a, b = random_problem(seed=global_random_seed)
    results = solve_path(M, a, b, regs=np.geomspace(10, 1e-4, 12))
    for name in ("value", "value_linear"):
        values = [getattr(result, name) for result in results]
        assert np.all(np.diff(values) < 1e-8)
    exact = naive.exact_cost(M, a, b)
    assert results[-1].value_linear == pytest.approx(exact, abs=1e-3)


def test_each_starts_from_the_last():
    M, a, b = random_problem()
    path = solve_path(M, a, b, regs=REGS)
    start = None
    for result in path:
        alone = solve(M, a, b, reg=result.reg, warmstart=start)
        np.testing.assert_array_equal(alone.history, result.history)
        start = alone
    assert len({id(result._problem.arrays) for result in path}) == 1
    again = solve_path(M, a, b, regs=REGS[-1:], warmstart=path[-1])
    assert again[0].n_iter <= 2


def test_callback_ends_the_path():
    M, a, b = random_problem()
    told = []

    def stop(info):
        told.append(info)
        return len(told) == 12

    results = solve_path(M, a, b, regs=REGS, callback=stop)
    assert len(told) == 12 == sum(result.n_iter for result in results)
    assert 0 < len(results) < len(REGS)


def test_warns_where_the_user_is():
    M, a, b = random_problem()
    with pytest.warns(ConvergenceWarning, match="increase max_iter") as caught:
        results = solve_path(M, a, b, regs=[0.01, 0.001], max_iter=2)
    assert [warning.filename for warning in caught] == [__file__] * 2
    assert len(results) == 2


@pytest.mark.parametrize(
    "regs",
    [[], 1.0, [[1.0]], [1.0, 1.0], [0.1, 1.0], [1.0, 0.0], [1.0, -1.0], [1.0, np.nan], [np.nan],
     [np.inf, 1.0], ["a"], None, [1j], [[1.0], [1.0, 2.0]]],
    ids=str,
)  # fmt: skip
def test_strengths_that_are_none(regs):
    M, a, b = random_problem()
    with pytest.raises(ValueError, match=r"\bregs\b"):
        solve_path(M, a, b, regs=regs)
