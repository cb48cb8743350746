import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.transport import sinkhorn_divergence
from tests.reference import transport as naive
from tests.strategies import integers

METRICS = ["sqeuclidean", "euclidean", "cityblock"]


def masses(x):
    return x / x.sum()


@st.composite
def clouds(draw):
    """Two clouds of points of few distinct places, and masses, zeros among them."""
    d = draw(st.integers(1, 3))
    sides = []
    for _ in range(2):
        n = draw(st.integers(1, 6))
        weights = draw(integers(n, 0, 3)).astype(float)
        weights[0] += 1
        sides.append((draw(integers((n, d), 0, 4)).astype(float), masses(weights)))
    (X, a), (Y, b) = sides
    return X, Y, a, b, draw(st.sampled_from([0.1, 1.0, 10.0])), draw(st.sampled_from(METRICS))


def entropic_value(X, Y, a, b, reg, metric):
    a, X, b, Y = a[a > 0], X[a > 0], b[b > 0], Y[b > 0]
    M = cdist(X, Y, metric)
    return naive.value(naive.plan(M, a, b, reg), M, a, b, reg)


@given(clouds())
def test_never_negative_and_symmetric(problem):
    X, Y, a, b, reg, metric = problem
    there = sinkhorn_divergence(X, Y, a, b, reg=reg, metric=metric)
    back = sinkhorn_divergence(Y, X, b, a, reg=reg, metric=metric)
    assert there >= 0
    assert there == pytest.approx(back, abs=1e-6)


@given(clouds(), st.randoms(use_true_random=False))
def test_zero_for_equal_clouds(problem, random):
    X, _, a, _, reg, metric = problem
    assert sinkhorn_divergence(X, X, a, a, reg=reg, metric=metric) == 0
    order = random.sample(range(len(X)), len(X))
    other = sinkhorn_divergence(X, X[order], a, a[order], reg=reg, metric=metric)
    assert other == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("reg", [0.2, 1.0, 20.0])
def test_the_definition(metric, reg, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, Y = rng.random((12, 2)), rng.random((9, 2)) + 0.2
    a, b = masses(rng.random(12)), masses(rng.random(9))
    a[3] = 0
    a = masses(a)
    between, *within = (
        entropic_value(*problem, reg, metric)
        for problem in ((X, Y, a, b), (X, X, a, a), (Y, Y, b, b))
    )
    found = sinkhorn_divergence(X, Y, a, b, reg=reg, metric=metric, tol=1e-10)
    assert found == pytest.approx(between - sum(within) / 2, rel=1e-5)
    assert found > 0
    assert sinkhorn_divergence(X, Y, 5 * a, 5 * b, reg=reg, metric=metric, tol=1e-10) == (
        pytest.approx(5 * found, rel=1e-6)
    )


def test_between_transport_and_means():
    """The exact cost for a small reg, half the squared distance of the means for a large one."""
    rng = np.random.default_rng(0)
    X, Y = rng.random((15, 2)), rng.random((15, 2)) + [1.0, 0.5]
    exact = naive.exact_cost(cdist(X, Y, "sqeuclidean"), *2 * [np.full(15, 1 / 15)])
    means = ((X.mean(axis=0) - Y.mean(axis=0)) ** 2).sum()
    assert sinkhorn_divergence(X, Y, reg=1e-4) == pytest.approx(exact, rel=1e-3)
    assert sinkhorn_divergence(X, Y, reg=1e4) == pytest.approx(means, rel=1e-3)


@pytest.mark.parametrize("reg", [0.01, 1.0])
def test_clouds_that_are_moved(reg):
    """Under the squared Euclidean distance, by the square of how far."""
    X = np.random.default_rng(0).random((40, 3))
    shift = np.array([0.3, -0.4, 1.2])
    found = sinkhorn_divergence(X, X + shift, reg=reg, tol=1e-11)
    assert found == pytest.approx(shift @ shift, rel=1e-6)


def test_pot_leaves_the_entropy_out():
    """Its number is that of the costs of the same plans."""
    ot = pytest.importorskip("ot")
    rng = np.random.default_rng(0)
    X, Y = rng.random((12, 2)), rng.random((9, 2)) + 0.2
    a, b = np.full(12, 1 / 12), np.full(9, 1 / 9)
    linear, value = [], []
    for U, V, u, v in ((X, Y, a, b), (X, X, a, a), (Y, Y, b, b)):
        M = cdist(U, V, "sqeuclidean")
        P = naive.plan(M, u, v, 0.1)
        linear.append(naive.value_linear(P, M))
        value.append(naive.value(P, M, u, v, 0.1))
    theirs = ot.bregman.empirical_sinkhorn_divergence(X, Y, 0.1)
    assert theirs == pytest.approx(linear[0] - sum(linear[1:]) / 2, rel=1e-6)
    ours = sinkhorn_divergence(X, Y, reg=0.1, tol=1e-10)
    assert ours == pytest.approx(value[0] - sum(value[1:]) / 2, rel=1e-6)
    assert abs(ours - theirs) > 1e-3


def test_warns_where_the_user_is():
    X = np.random.default_rng(0).random((40, 3))
    with pytest.warns(ConvergenceWarning, match="increase max_iter") as caught:
        sinkhorn_divergence(X, X + 1, reg=1e-4, max_iter=2)
    assert {warning.filename for warning in caught} == {__file__}


def test_arguments_are_not_modified():
    X = np.random.default_rng(0).random((10, 3))
    Y, a, b = X[:7] + 1, np.full(10, 0.1), np.full(7, 1 / 7)
    kept = [x.tobytes() for x in (X, Y, a, b)]
    sinkhorn_divergence(X, Y, a, b, reg=0.1)
    assert [x.tobytes() for x in (X, Y, a, b)] == kept
