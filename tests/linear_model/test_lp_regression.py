"""lp_regression: optimal for any power, quantile, shape, weight, layout and scale."""

import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from lowrank_la.linear_model import LpRegression, LpRegressionResult, lp_regression, lstsq
from lowrank_la.linear_model._lp_solve import solve_dense
from tests.layouts import dense_forms, sparse_forms
from tests.reference import lp_regression as naive
from tests.strategies import integers

POWERS = [1.0, 1.05, 1.5, 2.0, 2.5, 4.0, 40.0, np.inf]
QUANTILES = [0.02, 0.3, 0.5, 0.9]
RNG = np.random.default_rng(0)
A = RNG.standard_normal((300, 5))
B = A @ np.arange(1.0, 6.0) + RNG.standard_t(2, 300)
W = RNG.random(300)


def certified(A, b, result, p=1.0, quantile=0.5, weights=None, tol=1e-8):
    """The objective is the one told, and as small as the gap says."""
    assert isinstance(result, LpRegressionResult)
    value = naive.objective(A, b, result.x, p, quantile, weights)
    size = naive.objective(A, b, np.zeros(A.shape[1]), p, quantile, weights)
    assert result.objective == pytest.approx(value, rel=1e-9, abs=1e-12 * size)
    assert result.converged
    assert 0 <= result.duality_gap <= max(tol * result.objective, 1e-12 * size)


def tall(n, d, seed=0):
    """Normals, the first column one; noise without a variance."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    X[:, 0] = 1.0
    return X, X @ rng.standard_normal(d) + rng.standard_t(2, n)


# Optimality


@pytest.mark.parametrize("weights", [None, W])
@pytest.mark.parametrize("p", POWERS)
def test_least_value(p, weights):
    result = lp_regression(A, B, p, sample_weight=weights)
    certified(A, B, result, p, weights=weights)
    if p != 40:  # beyond BFGS
        assert result.objective == pytest.approx(naive.least(A, B, p, weights=weights), rel=1e-7)
    assert result.rank == 5
    assert len(result.history) == result.n_iter


@pytest.mark.parametrize("weights", [None, W])
@pytest.mark.parametrize("quantile", QUANTILES)
def test_least_value_for_quantiles(quantile, weights):
    result = lp_regression(A, B, quantile=quantile, sample_weight=weights)
    certified(A, B, result, quantile=quantile, weights=weights)
    expected = naive.least(A, B, quantile=quantile, weights=weights)
    assert result.objective == pytest.approx(expected, rel=1e-8)


@given(st.data())
def test_brute_force(data):
    """Small integers: ties, dependent columns and fits through many points."""
    d = data.draw(st.integers(1, 3))
    n = data.draw(st.integers(d, 8))
    matrix = data.draw(integers((n, d), -2, 2)).astype(float)
    b = data.draw(integers((n,), -3, 3)).astype(float)
    weights = data.draw(integers((n,), 0, 3)).astype(float)
    weights += not weights.any()
    quantile = data.draw(st.sampled_from(QUANTILES))
    counted = weights > 0
    result = lp_regression(matrix, b, quantile=quantile, sample_weight=weights)
    expected = naive.least(matrix, b, quantile=quantile, weights=weights)
    if np.linalg.matrix_rank(matrix[counted]) == d:
        brute = naive.brute_force(matrix[counted], b[counted], quantile, weights[counted])
        assert expected == pytest.approx(brute, abs=1e-9)
    assert result.objective == pytest.approx(expected, rel=2e-8, abs=1e-9)
    assert result.duality_gap >= result.objective - expected - 1e-9
    assert result.converged


@given(st.data())
def test_subgradients(data):
    """A dual feasible point: signs of the residuals that add up to zero over every column."""
    seed, p = (
        data.draw(st.integers(0, 10**6)),
        data.draw(st.sampled_from([1.0, 1.3, 2.0, 3.0, 9.0])),
    )
    rng = np.random.default_rng(seed)
    n, d = data.draw(st.integers(5, 60)), data.draw(st.integers(1, 4))
    matrix, b = rng.standard_normal((n, d)), rng.standard_t(2, n)
    weights = rng.random(n) + 0.1
    result = lp_regression(matrix, b, p, sample_weight=weights, tol=1e-11)
    r = b - matrix @ result.x
    if p > 1:
        slopes = weights * np.abs(r) ** (p - 1) * np.sign(r)
        accuracy = 1e-2 if p < 2 else 1e-3  # slopes of small residuals change fast
        assert np.abs(matrix.T @ slopes).max() <= accuracy * np.abs(slopes).sum()
        return
    through = np.abs(r) < 1e-7 * np.abs(b).max()
    assert through.sum() >= min(n, d)
    signs = weights * np.sign(r) * ~through
    rest = np.linalg.lstsq((weights[:, None] * matrix)[through].T, -matrix.T @ signs)[0]
    assert np.abs(rest).max() <= 1 + 1e-6


@given(st.integers(0, 10**6), st.sampled_from([1.0, 1.2, 3.0, np.inf]))
def test_gaps_are_upper_bounds(seed, p):
    """Of a search that is stopped early, too."""
    rng = np.random.default_rng(seed)
    matrix, b = rng.standard_normal((40, 3)), rng.standard_t(2, 40)
    best = lp_regression(matrix, b, p, tol=1e-10)
    for n_steps in (1, 2, 4):
        early = lp_regression(matrix, b, p, callback=lambda info, n=n_steps: info["n_iter"] == n)
        excess = early.objective - best.objective
        assert -1e-9 * best.objective <= excess <= early.duality_gap + 1e-9 * best.objective


# Many rows: by way of samples


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("quantile", QUANTILES)
def test_samples_give_the_exact_solution(quantile, weighted):
    X, y = tall(20_000, 4)
    weights = np.random.default_rng(1).random(len(y)) if weighted else None
    first, second = (
        lp_regression(X, y, quantile=quantile, sample_weight=weights, rng=rng, tol=1e-11)
        for rng in (0, 1)
    )
    certified(X, y, first, quantile=quantile, weights=weights, tol=1e-11)
    np.testing.assert_allclose(first.x, second.x, atol=1e-6)
    r = y - X @ first.x
    assert np.sum(np.abs(r) < 1e-6) >= 4
    share = np.average(r < 0, weights=weights)  # the constant is a column
    assert share == pytest.approx(quantile, abs=5e-4)


def test_samples_of_rows_unlike_each_other():
    """A rare category, rows of large leverage, and outliers."""
    X, y = tall(30_000, 4)
    rare = np.zeros((30_000, 1))
    rare[[7, 20_000]] = 1.0
    X = np.hstack([X, rare])
    X[::1000] *= 1e3
    y[5::500] += 1e6
    certified(X, y, lp_regression(X, y, rng=0))


@pytest.mark.parametrize("case", ["ties", "one value", "sorted", "exact"])
def test_samples_of_degenerate_rows(case):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (20_000, 3)).astype(float)
    y = {
        "ties": rng.integers(0, 3, 20_000).astype(float),
        "one value": np.ones(20_000),
        "sorted": np.sort(rng.standard_normal(20_000)),
        "exact": X @ [1.0, 2.0, 3.0],
    }[case]
    certified(X, y, lp_regression(X, y, quantile=0.4), quantile=0.4)


# Equivariance


@pytest.mark.parametrize("p", POWERS)
@settings(max_examples=10)
@given(seed=st.integers(0, 10**6))
def test_equivariance(p, seed):
    rng = np.random.default_rng(seed)
    shift, scale = rng.standard_normal(5), 10.0 ** rng.uniform(-3, 3)
    mixed = np.linalg.qr(rng.standard_normal((5, 5)))[0] * 10.0 ** rng.uniform(-3, 3, 5)
    plain = lp_regression(A, B, p, tol=1e-11)
    for matrix, b, factor in (
        (A, B + A @ shift, 1.0),
        (A, scale * B, scale),
        (A, -B, 1.0),
        (A @ mixed, B, 1.0),
        (A[::-1], B[::-1], 1.0),
    ):
        found = lp_regression(matrix, b, p).objective
        power = 1 if p == np.inf else p
        assert found == pytest.approx(plain.objective * factor**power, rel=2e-8)


@pytest.mark.parametrize("quantile", QUANTILES)
def test_quantiles_of_the_negative(quantile):
    found = lp_regression(A, B, quantile=quantile, tol=1e-12)
    mirrored = lp_regression(A, -B, quantile=1 - quantile, tol=1e-12)
    np.testing.assert_allclose(found.x, -mirrored.x, atol=1e-7)


def test_powers_in_order():
    """Norms of the residuals do not grow with the power, and end at the largest one."""
    norms = [lp_regression(A, B, p).objective ** (1 / p) for p in (1, 1.5, 2, 4, 16, 64)]
    assert all(np.diff(norms) < 0)
    largest = lp_regression(A, B, np.inf).objective
    found = [np.abs(B - A @ lp_regression(A, B, p).x).max() for p in (2, 8, 32, 128, 1000)]
    assert all(np.diff(found) < 0)
    assert largest <= found[-1] < 1.01 * largest


def test_least_squares():
    np.testing.assert_allclose(lp_regression(A, B, 2).x, lstsq(A, B).x, rtol=1e-12)


@pytest.mark.parametrize("p", POWERS)
def test_weights_are_repetitions(p):
    weights = RNG.integers(0, 4, 300)
    weighted = lp_regression(A, B, p, sample_weight=weights)
    repeated = lp_regression(A.repeat(weights, axis=0), B.repeat(weights), p)
    assert weighted.objective == pytest.approx(repeated.objective, rel=2e-8)


@pytest.mark.parametrize("size", [1.0, 1e200])
@pytest.mark.parametrize("p", POWERS)
def test_rows_of_weight_zero_do_not_count(p, size):
    weights = np.r_[W, np.zeros(50)]
    extended = np.r_[A, size * RNG.standard_normal((50, 5))]
    targets = np.r_[B, size * RNG.standard_normal(50)]
    found = lp_regression(extended, targets, p, sample_weight=weights)
    removed = lp_regression(A, B, p, sample_weight=W)
    np.testing.assert_array_equal(found.x, removed.x)


# Scales, shapes, dependent columns


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0, np.inf])
@pytest.mark.parametrize("scale", [1e-300, 1e-100, 1e100, 1e300])
def test_data_whose_squares_overflow_or_vanish(p, scale):
    expected = lp_regression(A, B, p)
    for left, right in ((scale, 1.0), (1.0, scale), (scale, scale)):
        found = lp_regression(A * left, B * right, p)
        np.testing.assert_allclose(found.x / right * left, expected.x, rtol=1e-4)
        assert found.converged


@pytest.mark.parametrize("p", POWERS)
def test_columns_of_all_sizes(p):
    scale = 10.0 ** np.array([-8, 8, 0, -300, 300])
    found = lp_regression(A * scale, B, p)
    assert found.converged
    assert found.objective == pytest.approx(lp_regression(A, B, p).objective, rel=2e-8)


SHAPES = {
    "more columns than rows": A[:3],
    "as many": A[:5],
    "one more row": A[:6],
    "one column": A[:, :1],
    "one row": A[:1],
    "one entry": A[:1, :1],
    "repeated columns": np.c_[A, A[:, :2]],
    "a zero column": np.c_[A, np.zeros(300)],
    "constant columns": np.c_[A, np.full(300, 0.1), np.full(300, 7.0)],
    "nothing but zeros": 0 * A,
    "dummies": np.c_[A, np.eye(3)[np.arange(300) % 3], np.ones(300)],
    "rows alike": np.tile(A[:1], (50, 1)),
}


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape, p):
    matrix = SHAPES[shape]
    b = B[: len(matrix)]
    result = lp_regression(matrix, b, p)
    certified(matrix, b, result, p)
    assert result.rank == np.linalg.matrix_rank(matrix)
    least_norm = np.linalg.pinv(matrix, rcond=1e-11) @ (matrix @ result.x)
    np.testing.assert_allclose(result.x, least_norm, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("b", [A @ np.ones(5), np.zeros(300)], ids=["exact", "zero"])
def test_targets_that_are_fitted_exactly(p, b):
    result = lp_regression(A, b, p)
    assert result.converged
    assert result.objective <= 1e-12
    np.testing.assert_allclose(A @ result.x, b, atol=1e-12)


def test_most_targets_fitted_exactly():
    b = A @ np.ones(5)
    b[::7] += 100.0
    np.testing.assert_allclose(lp_regression(A, b).x, np.ones(5), atol=1e-6)


def test_a_median():
    y = np.array([3.0, 1.0, 2.0, 100.0, 2.5])
    ones = np.ones((5, 1))
    assert lp_regression(ones, y).x == pytest.approx([2.5], rel=1e-6)
    assert lp_regression(ones, y, np.inf).x == pytest.approx([50.5])
    assert lp_regression(ones, y, 2).x == pytest.approx([y.mean()])
    assert lp_regression(ones, y, sample_weight=[0, 9, 1, 1, 1]).x == pytest.approx([1.0], abs=1e-6)


# Layouts, precision, threads


@pytest.mark.parametrize("p", [1.0, 1.5, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layouts(p, dtype, tmp_path):
    matrix = A.astype(dtype)
    before = pickle.dumps((matrix, B))
    expected = lp_regression(matrix, B, p)
    assert expected.x.dtype == dtype
    for name, form in dense_forms(matrix, tmp_path).items():
        np.testing.assert_array_equal(lp_regression(form, B, p).x, expected.x, err_msg=name)
    assert pickle.dumps((matrix, B)) == before


@pytest.mark.parametrize("p", POWERS)
def test_sparse_is_dense(p):
    matrix = A * (RNG.random(A.shape) < 0.3)
    expected = lp_regression(matrix, B, p)
    for name, form in sparse_forms(matrix).items():
        found = lp_regression(form, B, p)
        certified(matrix, B, found, p)
        assert found.objective == pytest.approx(expected.objective, rel=2e-8), name


@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_sparse_with_many_rows_or_columns(quantile):
    rng = np.random.default_rng(0)
    for n, d, density in ((20_000, 4, 0.5), (900, 60, 0.05)):
        matrix = sparse.random_array((n, d), density=density, rng=rng, format="csr")
        y = matrix @ np.ones(d) + rng.standard_t(2, n)
        found = lp_regression(matrix, y, quantile=quantile)
        dense = lp_regression(matrix.toarray(), y, quantile=quantile)
        certified(matrix.toarray(), y, found, quantile=quantile)
        assert found.objective == pytest.approx(dense.objective, rel=2e-8)


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0, np.inf])
def test_the_same_bits_on_any_number_of_threads(p):
    X, y = tall(20_000, 5)
    one, two = (lp_regression(X, y, p, n_jobs=n, rng=0) for n in (1, 2))
    np.testing.assert_array_equal(one.x, two.x)
    np.testing.assert_array_equal(one.history, two.history)


# Options


def test_several_quantiles():
    found = lp_regression(A, B, quantile=QUANTILES)
    assert found.x.shape == (5, 4)
    for k, quantile in enumerate(QUANTILES):
        alone = lp_regression(A, B, quantile=quantile).objective
        assert found.objective[k] == pytest.approx(alone, rel=2e-8)
    assert found.converged
    assert (found.duality_gap <= 1e-8 * found.objective).all()
    assert lp_regression(A, B, quantile=[0.5]).x.shape == (5, 1)


@pytest.mark.parametrize("p", POWERS)
def test_starts(p):
    plain = lp_regression(A, B, p)
    for x0 in (plain.x, np.zeros(5), 1e3 * np.ones(5)):
        found = lp_regression(A, B, p, x0=x0)
        assert found.objective == pytest.approx(plain.objective, rel=2e-8)
    several = lp_regression(A, B, quantile=[0.2, 0.5], x0=np.zeros((5, 2)))
    assert several.converged


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0, np.inf])
def test_too_few_steps(p):
    with pytest.warns(ConvergenceWarning, match="max_iter") as told:
        result = lp_regression(A, B, p, max_iter=1)
    assert not result.converged
    assert np.isfinite(result.x).all()
    assert result.duality_gap > 1e-8 * result.objective
    with pytest.warns(ConvergenceWarning, match="max_iter") as told_of_fit:
        LpRegression(p, max_iter=1).fit(A, B)
    assert {warning.filename for warning in [*told, *told_of_fit]} == {__file__}


def test_a_callback_stops():
    seen = []
    result = lp_regression(A, B, callback=lambda info: seen.append(info) or len(seen) == 3)
    assert [info["n_iter"] for info in seen] == [1, 2, 3]
    assert result.n_iter == 3
    assert not result.converged


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
@pytest.mark.parametrize("weights", [None, W + 0.1])
def test_the_plain_entry(p, weights):
    coef, value, gap = solve_dense(A, B, p, weights=weights)
    expected = lp_regression(A, B, p, sample_weight=weights)
    assert value == pytest.approx(expected.objective, rel=2e-8)
    assert value == pytest.approx(naive.objective(A, B, coef, p, weights=weights), rel=1e-9)
    assert 0 <= gap <= 1e-8 * value


# Estimator


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("p", POWERS)
def test_intercept(p, form):
    """A constant that is not part of the norm, for features far from zero."""
    X = np.c_[A, A[:, :1]] + 1e4
    model = LpRegression(p).fit(form(X), B)
    expected = lp_regression(np.c_[A, np.ones(300)], B, p).objective
    assert model.objective_ == pytest.approx(expected, rel=1e-6)
    assert model.rank_ == 5
    assert model.coef_[0] == pytest.approx(model.coef_[5], rel=1e-6)
    found = naive.objective(np.eye(300), B, model.predict(form(X)), p)
    assert found == pytest.approx(model.objective_, rel=1e-6)


def test_quantiles_of_an_estimator():
    model = LpRegression(quantile=[0.1, 0.5, 0.9]).fit(A, B)
    assert model.coef_.shape == (3, 5)
    assert model.predict(A).shape == (300, 3)
    shares = (B[:, None] <= model.predict(A)).mean(axis=0)
    np.testing.assert_allclose(shares, [0.1, 0.5, 0.9], atol=0.03)


def test_warm_start():
    model = LpRegression(warm_start=True).fit(A, B)
    value, bits = model.objective_, model.coef_.copy()
    model.fit(A, B)
    assert model.objective_ <= value * (1 + 1e-12)
    np.testing.assert_allclose(model.coef_, bits, atol=1e-4)
    model.fit(A[:, :3], B)
    assert model.coef_.shape == (3,)


# Bad input


def refused(name, *args, **options):
    with pytest.raises((ValueError, TypeError)) as error:
        lp_regression(*args, **options)
    assert re.search(rf"\b{name}\b", str(error.value)), error.value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("p", 0.5), ("p", -1), ("p", np.nan), ("p", "one"), ("p", True), ("p", None),
        ("quantile", 0.0), ("quantile", 1.0), ("quantile", np.nan), ("quantile", "half"),
        ("quantile", []), ("quantile", [0.5, 1.5]), ("quantile", [[0.5]]), ("quantile", None),
        ("tol", 0.0), ("tol", -1e-3), ("tol", np.nan), ("tol", "small"),
        ("max_iter", 0), ("max_iter", 2.5), ("max_iter", True),
        ("x0", np.zeros(4)), ("x0", np.zeros((5, 1))), ("x0", np.full(5, np.nan)), ("x0", "zero"),
        ("n_jobs", 0), ("n_jobs", 1.5), ("rng", -1), ("rng", "seed"),
        ("sample_weight", np.ones(3)), ("sample_weight", -W), ("sample_weight", 0 * W),
    ],
)  # fmt: skip
def test_bad_options(name, value):
    refused(name, A, B, **{name: value})


def test_bad_data():
    refused("A", A[0], B)
    refused("A", A + 1j, B)
    refused("b", A, B[:-1])
    refused("b", A, B[:, None])
    refused("quantile", A, B, 2, quantile=0.3)
    refused("quantile", A, B, np.inf, quantile=[0.5, 0.6])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("p", POWERS)
def test_every_entry_that_is_not_finite(p, value):
    for rows in (np.arange(10), np.arange(300), np.arange(30_000) % 300):
        matrix, b = A[rows], B[rows]
        matrix[7, 2] = value
        refused("A", matrix, b, p)
        refused("A", sparse.csr_array(matrix), b, p)
        b[3] = value
        refused("b", A[rows], b, p)


# Real data


@pytest.fixture(scope="module")
def diamonds(data_dir):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(data_dir / "sketching" / "diamonds.csv.gz")
    frame = frame.drop(columns="rownames", errors="ignore")
    y = frame.pop("price").to_numpy(float)
    return pandas.get_dummies(frame, drop_first=True).to_numpy(float), y


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.95])
def test_diamonds(diamonds, quantile):
    X, y = diamonds
    model = LpRegression(quantile=quantile, random_state=0).fit(X, y)
    assert model.converged_
    assert model.duality_gap_ <= 1e-8 * model.objective_
    assert np.mean(y <= model.predict(X)) == pytest.approx(quantile, abs=2e-3)
    again = LpRegression(quantile=quantile, random_state=1).fit(sparse.csr_array(X), y)
    assert again.objective_ == pytest.approx(model.objective_, rel=2e-8)


def test_housing(housing):
    X, y = housing
    X = X[:, 1:9]
    for p in (1.0, 1.5, 3.0, np.inf):
        model = LpRegression(p).fit(X, y)
        assert model.converged_
        assert model.duality_gap_ <= 1e-8 * model.objective_


def test_weights_far_apart():
    """They take about as many steps as rows that were multiplied by them."""
    X, y = tall(2000, 10)
    weights = np.exp(np.random.default_rng(1).uniform(0, 9, len(y)))
    found = lp_regression(X, y, sample_weight=weights)
    certified(X, y, found, weights=weights)
    assert found.n_iter < 30


@pytest.mark.parametrize("seed", range(4))
def test_ties_of_many_rows(seed):
    """Samples of rows with few distinct values: most residuals are zero."""
    rng = np.random.default_rng(seed)
    groups, counts = rng.integers(0, 4, 20_000), rng.poisson(2.0, 20_000) * 1.0
    model = LpRegression(random_state=0).fit(np.eye(4)[groups][:, 1:], counts)
    medians = np.array([np.median(counts[groups == g]) for g in range(4)])
    assert model.converged_
    assert model.objective_ == pytest.approx(np.abs(counts - medians[groups]).sum(), rel=1e-8)
    matrix, b = rng.standard_normal((20, 8)), rng.standard_normal(20)
    chosen = np.minimum(rng.pareto(0.5, 40_000).astype(int), 19)
    found = lp_regression(matrix[chosen], b[chosen], rng=seed)
    once = lp_regression(matrix, b, sample_weight=np.bincount(chosen, minlength=20))
    assert found.converged
    assert found.objective == pytest.approx(once.objective, rel=1e-7)


@pytest.mark.parametrize("p", [100, 3000, 1e6])
def test_large_powers_tend_to_the_largest_residual(p):
    rng = np.random.default_rng(0)
    matrix, b = rng.standard_normal((500, 4)), rng.standard_t(2, 500)
    found, least = lp_regression(matrix, b, p), lp_regression(matrix, b, np.inf)
    assert found.converged
    assert found.objective > 0  # or infinite
    largest = np.abs(b - matrix @ found.x).max()
    assert least.objective * (1 - 1e-6) <= largest <= least.objective * 500 ** (1 / p) * (1 + 1e-6)


@pytest.mark.parametrize("p", [1, 1.5, 4, np.inf])
def test_exact_fits_from_afar(p):
    line = np.c_[np.ones(50), np.arange(50.0)]
    found = lp_regression(line, line @ [3.0, 1.0], p, x0=[1e3, 0.0])
    assert found.converged
    np.testing.assert_allclose(found.x, [3.0, 1.0], atol=1e-9)


def test_the_largest_residual_of_dummies_is_certified():
    rng = np.random.default_rng(1)
    level = np.minimum(rng.zipf(1.6, 20_000), 10) - 1
    X = np.c_[np.eye(10)[level][:, 1:], rng.normal(size=(20_000, 3))]
    assert LpRegression(np.inf).fit(X, rng.normal(size=20_000)).converged_


@pytest.mark.parametrize("p", [1, 1.5, np.inf])
def test_the_same_bits_on_any_number_of_blas_threads(p):
    rng = np.random.default_rng(0)
    matrix, b = rng.standard_normal((3000, 150)), rng.standard_normal(3000)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, "blas"):
            found.append(lp_regression(matrix, b, p, rng=0).x)
    np.testing.assert_array_equal(*found)


def test_several_quantiles_have_no_score():
    X, y = np.random.default_rng(0).standard_normal((2, 50, 1))
    model = LpRegression(quantile=[0.2, 0.8]).fit(X, y[:, 0])
    with pytest.raises(ValueError, match="score is for one quantile"):
        model.score(X, y[:, 0])


def test_a_callback_is_asked_no_more_once_it_has_stopped():
    calls = []

    def stop(info):
        calls.append(info)
        return True

    lp_regression(A, B, quantile=[0.2, 0.5, 0.8], callback=stop)
    assert len(calls) == 1
    with pytest.raises(ValueError, match="callback=3"):
        lp_regression(A, B, callback=3)


def test_gross_errors_do_not_move_the_fit():
    b, fits = A.sum(axis=1) + np.random.default_rng(0).standard_normal(300), []
    for size in (1e3, 1e6, 1e9, 1e12):
        b[:20] = size
        fits.append(lp_regression(A, b).x)
    np.testing.assert_allclose(fits[1:], [fits[0]] * 3, atol=1e-3)


@pytest.mark.parametrize("quantile", [0.02, 0.5, 0.9])
def test_a_start_that_is_a_solution_is_certified(quantile):
    matrix, b = np.array([[0.0], [-1.0], [2.0]]), np.array([1.0, 0.0, 0.0])
    assert lp_regression(matrix, b, quantile=quantile).converged
