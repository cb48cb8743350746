import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.transport import _pot, sinkhorn, sinkhorn2, solve
from tests.reference import transport as naive
from tests.strategies import transports

SHARED = ["sinkhorn", "sinkhorn_log", "sinkhorn_stabilized"]  # by both functions of POT


def masses(x):
    return x / x.sum(axis=0)


def random_problem(n=30, m=20, k=None):
    rng = np.random.default_rng(0)
    b = rng.random(m) if k is None else rng.random((m, k))
    return masses(rng.random(n)), masses(b), rng.random((n, m))


@pytest.fixture(scope="module")
def ot():
    return pytest.importorskip("ot")


# As POT


@pytest.mark.parametrize("method", [*SHARED, "greenkhorn", "sinkhorn_epsilon_scaling"])
def test_same_plan_as_pot(ot, method):
    a, b, M = random_problem()
    enough = {"numItermax": 100_000, "stopThr": 1e-12}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = ot.sinkhorn(a, b, M, 0.1, method, **enough)
    np.testing.assert_allclose(sinkhorn(a, b, M, 0.1, method), expected, atol=1e-8)
    if method in SHARED:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loss = ot.sinkhorn2(a, b, M, 0.1, method, **enough)
        assert sinkhorn2(a, b, M, 0.1, method) == pytest.approx(loss, abs=1e-8)


@pytest.mark.parametrize("function", ["sinkhorn", "sinkhorn2"])
def test_arguments_in_the_order_of_pot(ot, function):
    a, b, M = random_problem()
    for ours, theirs in ((sinkhorn, ot.sinkhorn), (sinkhorn2, ot.sinkhorn2)):
        arguments = a, b, M, 0.1, "sinkhorn_log", 5000, 1e-10, False, True, True, None
        found, expected = ours(*arguments), theirs(*arguments)
        np.testing.assert_allclose(found[0], expected[0], atol=1e-9)
        assert set(expected[1]) <= set(found[1])


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("function", [sinkhorn, sinkhorn2])
def test_several_masses_as_pot(ot, function, k):
    a, b, M = random_problem(k=k)
    expected, their_log = ot.sinkhorn(a, b, M, 0.1, stopThr=1e-12, log=True)
    found, log = function(a, b, M, 0.1, log=True)
    assert found.shape == (k,)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    for name in ("u", "v"):
        assert log[name].shape == their_log[name].shape
    np.testing.assert_allclose(
        log["u"][:, None] * log["v"], their_log["u"][:, None] * their_log["v"], rtol=1e-6
    )


def test_warm_starts_are_exchanged_with_pot(ot):
    for k in (None, 3):
        a, b, M = random_problem(k=k)
        _, log = sinkhorn(a, b, M, 0.05, stopThr=1e-12, log=True)
        assert ot.sinkhorn(a, b, M, 0.05, log=True, warmstart=log["warmstart"])[1]["niter"] == 0
        _, theirs = ot.sinkhorn(a, b, M, 0.05, stopThr=1e-13, numItermax=100_000, log=True)
        start = np.log(theirs["u"]), np.log(theirs["v"])
        _, warm = sinkhorn(a, b, M, 0.05, log=True, warmstart=start)
        assert warm["niter"] <= 2 * (k or 1)


def test_empty_lists_are_equal_masses(ot):
    _, _, M = random_problem()
    expected = ot.sinkhorn([], [], M, 0.1)
    for a, b in (([], []), (None, None), (np.full(30, 1 / 30), [])):
        np.testing.assert_allclose(sinkhorn(a, b, M, 0.1), expected, atol=1e-8)


def test_masses_of_another_sum(ot):
    a, b, M = random_problem()
    expected = ot.sinkhorn(7 * a, 7 * b, M, 0.1)
    np.testing.assert_allclose(sinkhorn(7 * a, 7 * b, M, 0.1), expected, atol=1e-7)


def test_lists_and_single_precision(ot):
    a, b, M = random_problem(4, 3)
    expected = ot.sinkhorn(a, b, M, 0.1)
    np.testing.assert_allclose(
        sinkhorn(a.tolist(), b.tolist(), M.tolist(), 0.1), expected, atol=1e-8
    )
    single = sinkhorn(*(x.astype(np.float32) for x in (a, b, M)), 0.1)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, atol=1e-6)


# By themselves


@given(transports(), st.sampled_from(list(_pot._METHODS)))
def test_log_makes_the_plan(problem, method):
    M, a, b, reg = problem
    plan, log = sinkhorn(a, b, M, reg, method, numItermax=500, log=True, warn=False)
    log_plan = log["log_u"][:, None] - M / reg + log["log_v"]
    np.testing.assert_allclose(np.exp(log_plan), plan, atol=1e-9)
    slow = method in ("sinkhorn", "sinkhorn_log", "sns")  # in some of these problems
    assert log["result"].converged or slow
    if log["result"].converged:
        assert sum(naive.marginal_errors(plan, a, b)) <= 1e-9 * (1 + 1e-6)
        assert log["err"][-1] <= 1e-9
    np.testing.assert_array_equal(log["u"] == 0, a == 0)
    assert len(log["err"]) == log["niter"] == log["result"].n_iter
    cost = sinkhorn2(a, b, M, reg, method, numItermax=500, warn=False)
    assert cost == pytest.approx(log["result"].value_linear, rel=1e-12)


def test_method_names_are_no_more_than_names():
    a, b, M = random_problem()
    for name, method in _pot._METHODS.items():
        plan = solve(M, a, b, reg=0.1, method=method, tol=1e-9).plan
        np.testing.assert_array_equal(sinkhorn(a, b, M, 0.1, name), plan)
        np.testing.assert_array_equal(sinkhorn(a, b, M, 0.1, name.upper()), plan)
    with pytest.raises(ValueError, match="method='screenkhorn' is unknown"):
        sinkhorn(a, b, M, 0.1, "screenkhorn")


def test_scalings_overflow_but_their_logarithms_do_not():
    a, b, M = random_problem()
    plan, log = sinkhorn(a, b, M, 1e-4, log=True)
    assert np.isinf(log["u"]).any() or np.isinf(log["v"]).any()
    assert np.isfinite(log["log_u"]).all()
    assert np.isfinite(log["log_v"]).all()
    again, warm = sinkhorn(a, b, M, 1e-4, log=True, warmstart=log["warmstart"])
    assert warm["niter"] <= 2 < log["niter"]
    np.testing.assert_allclose(again, plan, atol=1e-8)


@pytest.mark.parametrize("shape", [(30, 20), (20, 30)])
@pytest.mark.parametrize("offset", [0, 1e4])
def test_several_masses_share_the_costs(shape, offset):
    a, b, M = random_problem(*shape, k=5)
    costs, log = sinkhorn(a, b, M + offset, 0.05, log=True)
    assert len({id(result._problem.arrays) for result in log["result"]}) == 1
    for k, cost in enumerate(costs):
        alone = solve(M + offset, a, b[:, k], reg=0.05)
        np.testing.assert_allclose(log["result"][k].plan, alone.plan, atol=1e-7)
        assert cost == pytest.approx(alone.value_linear, rel=1e-7)
    assert log["niter"] == len(log["err"]) == sum(result.n_iter for result in log["result"])


def test_several_masses_with_zeros_in_different_places():
    a, b, M = random_problem(k=6)
    a[:3], b[np.arange(6), np.arange(6)] = 0, 0
    a, b = masses(a), masses(b)
    costs, log = sinkhorn(a, b, M, 0.05, log=True)
    np.testing.assert_array_equal(log["v"] == 0, b == 0)
    np.testing.assert_array_equal(log["u"] == 0, np.tile(a[:, None] == 0, 6))
    expected = [solve(M, a, b[:, k], reg=0.05).value_linear for k in range(6)]
    np.testing.assert_allclose(costs, expected, rtol=1e-7)
    _, warm = sinkhorn(a, b, M, 0.05, log=True, warmstart=log["warmstart"])
    assert warm["niter"] <= 12 < log["niter"]


def test_similar_masses_start_from_each_other():
    a, b, M = random_problem(k=1)
    b = masses(b * (1 + 1e-3 * np.random.default_rng(1).random((len(b), 5))))
    _, log = sinkhorn(a, b, M, 1e-2, log=True)
    alone = [sinkhorn(a, b[:, k], M, 1e-2, log=True)[1]["niter"] for k in range(5)]
    assert log["niter"] < sum(alone)


def test_warnings_speak_of_the_arguments():
    a, b, M = random_problem()
    for function in (sinkhorn, sinkhorn2):
        with pytest.warns(ConvergenceWarning, match="increase numItermax, stopThr") as caught:
            function(a, b, M, 1e-3, numItermax=2)
        assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            function(a, b, M, 1e-3, numItermax=2, warn=False)


def test_progress_is_printed(capsys):
    a, b, M = random_problem()
    _, log = sinkhorn(a, b, M, 1e-3, log=True)
    assert capsys.readouterr().out == ""
    sinkhorn(a, b, M, 1e-3, verbose=True)
    head, rule, *lines = capsys.readouterr().out.splitlines()
    assert head.split("|")[:2] == ["It.  ", "Err         "]
    assert set(rule) == {"-"}
    assert [int(line.split("|")[0]) for line in lines] == list(range(0, log["niter"], 10))
    printed = [float(line.split("|")[1]) for line in lines]
    np.testing.assert_allclose(printed, log["err"][::10], rtol=1e-6)


@pytest.mark.parametrize(
    "start",
    [
        (np.zeros(30),),
        (np.zeros(30), np.zeros(21)),
        (np.zeros(20), np.zeros(30)),
        (np.zeros((30, 1)), np.zeros((20, 1))),
        (np.zeros(30), np.full(20, np.nan)),
        (np.full(30, -np.inf), np.full(20, -np.inf)),
    ],
)
def test_warm_starts_that_are_none(start):
    a, b, M = random_problem()
    with pytest.raises(ValueError, match="warmstart"):
        sinkhorn(a, b, M, 0.1, warmstart=start)


def test_masses_that_are_none():
    a, b, M = random_problem(k=2)
    for bad in (b[:-1], b[:, :0], b[None], 2 * b, np.where(b < 0.02, -1, b), [[]]):
        with pytest.raises(ValueError, match=r"\bb\b"):
            sinkhorn(a, bad, M, 0.1)


def test_arguments_are_not_modified():
    a, b, M = random_problem(k=2)
    _, log = sinkhorn(a, b, M, 0.1, log=True)
    start = log["warmstart"]
    kept = [x.tobytes() for x in (a, b, M, *start)]
    sinkhorn(a, b, M, 0.01, warmstart=start)
    assert [x.tobytes() for x in (a, b, M, *start)] == kept


def test_a_result_is_a_start():
    M = np.random.default_rng(0).random((20, 30))
    _, log = sinkhorn([], [], M, 0.01, log=True)
    _, again = sinkhorn([], [], M, 0.01, log=True, warmstart=log["result"])
    assert again["niter"] < log["niter"]
