"""The estimator: scikit-learn's checks, rows in blocks, and what LinearRegression and Ridge do."""

import functools
import pickle
import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, sparse
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from lowrank_la.linear_model import SketchedLinearRegression
from lowrank_la.linear_model._methods import METHODS
from tests.linear_model.problems import haar
from tests.reference import lstsq as naive
from tests.strategies import integers


@parametrize_with_checks(
    [
        SketchedLinearRegression(random_state=0),
        SketchedLinearRegression("presketch", random_state=0),
        SketchedLinearRegression("spir", fit_intercept=False, random_state=0),
        SketchedLinearRegression("qr", alpha=0.5),
        SketchedLinearRegression("sketch", random_state=0),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


RNG = np.random.default_rng(0)
X = RNG.standard_normal((400, 5)) + [0, 1, 100, -5, 0]
Y = X @ RNG.standard_normal((5, 2)) + RNG.standard_normal((400, 2)) + [7, 0]
WEIGHTS = RNG.integers(0, 4, 400) * 0.5
EXACT = sorted({*METHODS} - {"sketch"})
SHAPES = {
    "tall": X,
    "wide": X[:4],
    "square": X[:5],
    "one more row": X[:6],
    "one column": X[:, :1],
    "one row": X[:1],
    "constant columns": np.c_[X, np.full(400, 0.1), np.full(400, -7.0)],
    "repeated columns": np.c_[X, 3 * X[:, 1:3]],
    "dummies": np.c_[X, np.eye(3)[np.arange(400) % 3]],
    "zeros": 0 * X,
    "far from zero": X + 1e6,
}


def assert_same(model, other, rtol=1e-9):
    scale = rtol * (1 + abs(other.coef_).max())
    np.testing.assert_allclose(model.coef_, other.coef_, rtol, scale)
    size = abs(other.intercept_) + abs(other.coef_).max() * abs(X).max()
    np.testing.assert_allclose(model.intercept_, other.intercept_, rtol, rtol * size.max())


def in_blocks(model, X, y, weights=None, sizes=(1, 2, 60, 100)):
    """Fit to blocks, of these sizes and the rest."""
    for rows in np.split(np.arange(X.shape[0]), np.cumsum(sizes)):
        if len(rows) and (weights is None or weights[rows].any()):
            model.partial_fit(X[rows], y[rows], None if weights is None else weights[rows])
    return model


def linear_regression(data, y, weights, fit_intercept):
    """LinearRegression by NumPy: its own cut-off depends on its version, and is a high one."""
    root = np.sqrt(np.ones(len(y)) if weights is None else weights)[:, None]
    centre, mean = (np.average(a, axis=0, weights=weights) * fit_intercept for a in (data, y))
    coef, _, rank, values = np.linalg.lstsq(root * (data - centre), root * (y - mean), rcond=1e-12)
    model = LinearRegression()
    model.coef_, model.intercept_ = coef.T, mean - centre @ coef
    model.rank_, model.singular_ = rank, values
    return model


@pytest.mark.filterwarnings("ignore:the data are too ill conditioned")
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weights"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("method", [*EXACT, "sketch", "partial_fit"])
@pytest.mark.parametrize("shape", SHAPES)
def test_is_linear_regression(shape, method, fit_intercept, weights):
    data, y = SHAPES[shape], Y[: len(SHAPES[shape])]
    weights = weights if weights is None else weights[: len(data)] + (len(data) == 1)
    model = SketchedLinearRegression(fit_intercept=fit_intercept, random_state=0)
    if method == "partial_fit":
        in_blocks(model, data, y, weights)
    else:
        model.set_params(method=method, sketch_size=400).fit(data, y, weights)
    expected = linear_regression(data, y, weights, fit_intercept)
    assert_same(model, expected, 1e-7 if shape == "far from zero" else 1e-9)
    assert model.rank_ == expected.rank_
    used = expected.singular_[: expected.rank_]
    condition = used[0] / used[-1] if len(used) else 1.0
    if shape != "far from zero" or fit_intercept:
        assert condition / 3 < model.condition_number_ < 3 * condition
    np.testing.assert_allclose(model.predict(data), expected.predict(data), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e5])
@pytest.mark.parametrize("method", [*EXACT, "sketch", "partial_fit"])
def test_is_ridge(method, alpha, fit_intercept, form):
    """The intercept costs nothing."""
    options = {"alpha": alpha, "fit_intercept": fit_intercept}
    model = SketchedLinearRegression(**options, random_state=0)
    for data in (X, X[:4], np.c_[X, X[:, 0]]):
        y, weights = Y[: len(data)], WEIGHTS[: len(data)]
        coef, constant = naive.lstsq(data, y, weights, **options)
        if method == "partial_fit":
            in_blocks(clone(model), form(data), y, weights)
            found = in_blocks(clone(model), form(data), y, weights)
        else:
            found = model.set_params(method=method, sketch_size=500).fit(form(data), y, weights)
        np.testing.assert_allclose(found.coef_, coef.T, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(found.intercept_, constant, rtol=1e-8, atol=1e-8)
    expected = Ridge(**options).fit(X, Y, WEIGHTS)
    np.testing.assert_allclose(expected.coef_, naive.lstsq(X, Y, WEIGHTS, **options)[0].T)


@pytest.mark.parametrize("shape", [(400,), (400, 1), (400, 2)])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_shapes_of_targets(shape, fit_intercept):
    y = Y.ravel()[: np.prod(shape)].reshape(shape)
    model = SketchedLinearRegression(fit_intercept=fit_intercept)
    expected = LinearRegression(fit_intercept=fit_intercept).fit(X, y)
    for fitted in (model.fit(X, y), in_blocks(clone(model), X, y)):
        assert fitted.coef_.shape == expected.coef_.shape
        assert np.shape(fitted.intercept_) == np.shape(expected.intercept_)
        assert fitted.predict(X).shape == shape
        assert fitted.score(X, y) == pytest.approx(expected.score(X, y))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision(dtype):
    model = SketchedLinearRegression()
    for fit in (model.fit, clone(model).partial_fit):
        fitted = fit(X.astype(dtype), Y.astype(dtype))
        assert fitted.coef_.dtype == fitted.intercept_.dtype == dtype
        assert fitted.predict(X.astype(dtype)).dtype == dtype
    mixed = clone(model).partial_fit(X.astype(np.float32), Y).partial_fit(X, Y)
    assert mixed.coef_.dtype == np.float64


# Rows in blocks

CHUNKS = [(400,), (1,) * 30, (7, 200), (3, 1, 1, 100)]


@pytest.mark.parametrize("sizes", CHUNKS, ids=str)
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("size", [50, 399, 1000])
def test_streamed_sketch_has_the_bits_of_one(size, fit_intercept, form, sizes):
    model = SketchedLinearRegression(
        "sketch", sketch_size=size, fit_intercept=fit_intercept, random_state=3
    )
    once = clone(model).fit(form(X), Y, WEIGHTS)
    streamed = in_blocks(model, form(X), Y, WEIGHTS, sizes)
    for name in ("coef_", "intercept_", "rank_", "condition_number_", "method_"):
        np.testing.assert_array_equal(getattr(once, name), getattr(streamed, name))
    assert once.backward_error_ is streamed.backward_error_ is None


@pytest.mark.parametrize("sketch", ["srht", "gaussian", "sparse_sign", "countsketch"])
def test_any_sketch_can_be_streamed(sketch):
    model = SketchedLinearRegression("sketch", sketch=sketch, sketch_size=60, random_state=0)
    tall, y = np.tile(X, (8, 1)), np.tile(Y, (8, 1))
    once = clone(model).fit(tall, y)
    np.testing.assert_array_equal(once.coef_, in_blocks(model, tall, y, None, (1500,)).coef_)
    assert np.linalg.norm(once.coef_ - LinearRegression().fit(X, Y).coef_) > 1e-8


def test_size_of_a_sketch_does_not_depend_on_the_rows():
    model = SketchedLinearRegression("sketch", eps=0.9, delta=0.5, random_state=0)
    tall, y = np.tile(X, (3, 1)), np.tile(Y, (3, 1))
    once = clone(model).fit(tall, y)
    np.testing.assert_array_equal(once.coef_, in_blocks(model, tall, y).coef_)
    assert abs(once.coef_ - LinearRegression().fit(tall, y).coef_).max() > 1e-8


@pytest.mark.parametrize("condition", [1e1, 1e6, 1e10])
def test_blocks_are_as_good_as_all(condition):
    """A backward stable method on either side: apart by the condition times rounding."""
    A, b, _ = haar(3000, 15, condition, 1e-8)
    whole = SketchedLinearRegression(random_state=0).fit(A, b)
    blocks = in_blocks(SketchedLinearRegression(), A, b, None, (10, 500, 1000))
    apart = np.linalg.norm(whole.coef_ - blocks.coef_) / np.linalg.norm(whole.coef_)
    assert apart < max(1e-12, 1e-14 * condition)
    assert blocks.converged_
    assert blocks.method_ == "qr"


def test_rows_that_drift():
    """The first block's mean is far from that of all."""
    drifting = X + np.linspace(0, 1e5, 400)[:, None]
    model = in_blocks(SketchedLinearRegression(), drifting, Y)
    assert_same(model, LinearRegression().fit(drifting, Y), 1e-7)


def fitted_part(rows):
    return SketchedLinearRegression(alpha=0.1).partial_fit(X[rows], Y[rows], WEIGHTS[rows] + 1)


@pytest.mark.parametrize("executor", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_parts_on_an_executor(executor):
    parts = np.split(np.arange(400), [1, 90, 300])
    spawned = {"mp_context": get_context("spawn")} if executor is ProcessPoolExecutor else {}
    with executor(2, **spawned) as pool:
        models = list(pool.map(fitted_part, parts))
    kept = pickle.dumps(models[1:])
    merged = functools.reduce(SketchedLinearRegression.merge, models)
    assert_same(merged, SketchedLinearRegression(alpha=0.1).fit(X, Y, WEIGHTS + 1))
    assert pickle.dumps(models[1:]) == kept
    assert merged is models[0]


def test_parts_that_drift():
    drifting = X + np.linspace(0, 1e5, 400)[:, None]
    first, second = (
        SketchedLinearRegression().partial_fit(drifting[rows], Y[rows])
        for rows in (slice(300), slice(300, 400))
    )
    assert_same(first.merge(second), LinearRegression().fit(drifting, Y), 1e-7)


def test_parts_that_do_not_fit():
    model = SketchedLinearRegression().partial_fit(X, Y)
    before = pickle.dumps(model)
    for other in (
        SketchedLinearRegression().fit(X, Y),
        SketchedLinearRegression("sketch").partial_fit(X, Y),
        SketchedLinearRegression(fit_intercept=False).partial_fit(X, Y),
        SketchedLinearRegression().partial_fit(X[:, :4], Y),
        SketchedLinearRegression().partial_fit(X, Y[:, 0]),
        SketchedLinearRegression(),
    ):
        with pytest.raises(ValueError, match="merge|other|fitted"):
            model.merge(other)
        assert pickle.dumps(model) == before


def test_dense_and_sparse_blocks():
    model = SketchedLinearRegression()
    for first, second in [(np.asarray, sparse.csr_array), (sparse.csr_array, np.asarray)]:
        mixed = clone(model).partial_fit(first(X[:100]), Y[:100])
        mixed.partial_fit(second(X[100:]), Y[100:])
        assert_same(mixed, clone(model).fit(X, Y))


@pytest.mark.parametrize("method", ["auto", "sketch"])
def test_blocks_after_a_copy(method):
    model = SketchedLinearRegression(method, sketch_size=50, random_state=0)
    whole = in_blocks(clone(model), X, Y)
    model.partial_fit(X[:150], Y[:150])
    copy = pickle.loads(pickle.dumps(model))
    for fitted in (copy, model):
        np.testing.assert_allclose(
            fitted.partial_fit(X[150:], Y[150:]).coef_, whole.coef_, rtol=1e-12
        )


@pytest.mark.parametrize("method", ["auto", "sketch"])
def test_fit_and_blocks_forget_each_other(method):
    model = SketchedLinearRegression(method, sketch_size=50, random_state=0)
    once, blocks = clone(model).fit(X, Y), clone(model).partial_fit(X[:100], Y[:100])
    np.testing.assert_array_equal(
        clone(blocks).partial_fit(X[:9], Y[:9]).fit(X, Y).coef_, once.coef_
    )
    np.testing.assert_array_equal(once.partial_fit(X[:100], Y[:100]).coef_, blocks.coef_)


@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1e170, 1e300])
@pytest.mark.parametrize("method", [*EXACT, "sketch", "partial_fit"])
def test_data_whose_squares_overflow_or_vanish(method, scale):
    model = SketchedLinearRegression(random_state=0)
    if method == "partial_fit":
        found = in_blocks(model, X * scale, Y)
    else:
        found = model.set_params(method=method, sketch_size=400).fit(X * scale, Y)
    expected = LinearRegression().fit(X, Y)
    np.testing.assert_allclose(found.coef_ * scale, expected.coef_, rtol=1e-9)
    np.testing.assert_allclose(found.intercept_, expected.intercept_, rtol=1e-9)
    assert found.condition_number_ == pytest.approx(np.linalg.cond(X - X.mean(axis=0)), rel=0.7)


@given(
    st.integers(1, 15).flatmap(
        lambda n: st.tuples(integers((n, 3), -4, 4), integers((n, 2), -50, 50), integers(n, 0, 3))
    ),
    st.lists(st.integers(1, 5), max_size=4),
    st.sampled_from([0.0, 0.5]),
    st.booleans(),
)
def test_blocks_of_any_problem(problem, sizes, alpha, fit_intercept):
    """Coefficients of least norm, however the rows come."""
    data, y, weights = (array.astype(float) for array in problem)
    weights += 1
    options = {"alpha": alpha, "fit_intercept": fit_intercept}
    coef, constant = naive.lstsq(data, y, weights, **options)
    model = in_blocks(SketchedLinearRegression(**options), data, y, weights, sizes)
    scale = 1e-8 * (1 + abs(y).max())
    np.testing.assert_allclose(model.coef_, coef.T, atol=scale)
    np.testing.assert_allclose(model.intercept_, constant, atol=5 * scale)


# Among scikit-learn's tools


def test_in_a_search():
    pipeline = make_pipeline(StandardScaler(), SketchedLinearRegression())
    grid = {"sketchedlinearregression__alpha": [0.0, 1.0, 1e6]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, Y[:, 0])
    expected = GridSearchCV(
        make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [1e-12, 1.0, 1e6]}, cv=3
    ).fit(X, Y[:, 0])
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )


def test_names_of_features():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcde"))
    for fit in ("fit", "partial_fit"):
        model = getattr(SketchedLinearRegression(), fit)(frame, Y)
        assert list(model.feature_names_in_) == list("abcde")
        np.testing.assert_array_equal(
            model.predict(frame), frame.to_numpy() @ model.coef_.T + model.intercept_
        )


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_rows_are_not_copied(form):
    """Beside the data, a fit needs a small share of their size."""
    data = form(np.random.default_rng(0).standard_normal((200_000, 20)))
    y = np.ones(200_000)
    SketchedLinearRegression().fit(data[:1000], y[:1000])
    tracemalloc.start()
    SketchedLinearRegression().fit(data, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.1 * data.size * 8


def test_columns_of_condition_beyond_any_cut(housing):
    """What scikit-learn's cut-off loses of cubic features."""
    A, y = housing
    model = SketchedLinearRegression(random_state=0).fit(A[:, 1:], y)
    norms = np.linalg.norm(A, axis=0)
    best = np.linalg.norm(y - A / norms @ linalg.lstsq(A / norms, y, lapack_driver="gelsy")[0])
    residual = np.linalg.norm(y - model.predict(A[:, 1:]))
    assert residual == pytest.approx(best, rel=1e-9)
    assert np.linalg.norm(y - LinearRegression().fit(A, y).predict(A)) > 1.01 * residual
