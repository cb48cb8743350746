"""The regressor on pairs of labels: what goes in, what it promises, how it fits in."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split

from lowrank_la.completion import MatrixCompletionRegressor, complete
from tests.completion.problems import low_rank
from tests.strategies import integers

M, N = 60, 40
RNG = np.random.default_rng(0)
TRUTH = 3 + low_rank(M, N, 3)
X = RNG.integers([M, N], size=(1500, 2))
Y = TRUTH[X[:, 0], X[:, 1]] + 0.05 * RNG.standard_normal(len(X))
USERS = np.array([f"user {i:02}" for i in range(M)])
ITEMS = np.array([f"item {j:02}" for j in range(N)])


def model(**options):
    return MatrixCompletionRegressor(**{"rank": 3, "alpha": 0.1, "random_state": 0} | options)


def words(pairs):
    return np.column_stack([USERS[pairs[:, 0]], ITEMS[pairs[:, 1]]])


FORMS = {
    "float": lambda pairs: pairs.astype(float),
    "int8": lambda pairs: pairs.astype(np.int8),
    "objects": lambda pairs: pairs.astype(object),
    "list": lambda pairs: pairs.tolist(),
    "list of both": lambda pairs: [[USERS[i], int(j)] for i, j in pairs],
    "text": words,
    "text as objects": lambda pairs: words(pairs).astype(object),
    "data frame": lambda pairs: pd.DataFrame({"who": USERS[pairs[:, 0]], "what": pairs[:, 1]}),
    "categories": lambda pairs: pd.DataFrame(
        {"who": pd.Categorical(USERS[pairs[:, 0]]), "what": pairs[:, 1]}
    ),
    "polars": lambda pairs: pl.DataFrame({"who": USERS[pairs[:, 0]], "what": pairs[:, 1]}),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_labels_are_does_not_matter(form):
    plain, other = model().fit(X, Y), model().fit(FORMS[form](X), Y)
    np.testing.assert_array_equal(other.predict(FORMS[form](X[:50])), plain.predict(X[:50]))
    np.testing.assert_array_equal(other.row_factors_, plain.row_factors_)
    assert len(other.row_labels_) == len(plain.row_labels_) == len(np.unique(X[:, 0]))
    if hasattr(FORMS[form](X), "columns"):
        assert other.feature_names_in_.tolist() == ["who", "what"]


@pytest.mark.parametrize("form", FORMS)
def test_model_selection_takes_ratings_as_they_are(form):
    data = FORMS[form](X)
    train, test, y_train, y_test = train_test_split(data, Y, random_state=0)
    assert model().fit(train, y_train).score(test, y_test) > 0.95
    assert cross_val_score(model(), data, Y, cv=3).min() > 0.9
    search = GridSearchCV(model(), {"rank": [1, 3], "alpha": [0.1, 10.0]}, cv=3).fit(data, Y)
    assert search.best_params_ == {"rank": 3, "alpha": 0.1}


def test_attributes_put_the_matrix_together():
    fitted = model().fit(X, Y)
    whole = fitted.row_factors_ @ fitted.column_factors_.T
    whole += fitted.row_bias_[:, None] + fitted.column_bias_ + fitted.mean_
    rows = np.searchsorted(fitted.row_labels_, X[:, 0])
    columns = np.searchsorted(fitted.column_labels_, X[:, 1])
    np.testing.assert_allclose(fitted.predict(X), whole[rows, columns], rtol=1e-12)
    assert fitted.rank_ == 3
    assert fitted.converged_
    assert len(fitted.history_) == fitted.n_iter_


def test_it_is_what_the_function_finds():
    dense = np.argwhere(np.ones((M, N)))
    stop = {"tol": 1e-12, "max_iter": 1000}
    fitted = model(**stop).fit(dense, TRUTH.ravel())
    expected = complete(*dense.T, TRUTH.ravel(), (M, N), 3, alpha=0.1, rng=0, **stop)
    np.testing.assert_allclose(fitted.predict(dense), expected.predict(*dense.T), rtol=1e-5)


# of 3 x 3 entries: the start is no choice among singular vectors, which may be alike
PAIRS = integers((12, 2), 0, 2)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@given(PAIRS, integers(12, -3, 3), st.permutations(range(12)), st.booleans())
def test_the_order_of_observations_does_not_matter(pairs, y, order, context):
    data = np.column_stack([pairs, np.arange(12) % 3]) if context else pairs
    estimator = model(alpha=1.0, max_iter=5, tol=0)
    plain = clone(estimator).fit(data, y)
    turned = clone(estimator).fit(data[order], y[order])
    np.testing.assert_allclose(turned.predict(data), plain.predict(data), atol=1e-7)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@given(PAIRS, integers(12, -3, 3), integers(12, 0, 3), st.booleans())
def test_weights_are_repetitions(pairs, y, weights, context):
    weights[0] = 1
    data = np.column_stack([pairs, np.arange(12) % 3]) if context else pairs
    estimator = model(alpha=1.0, max_iter=5, tol=0)
    weighted = clone(estimator).fit(data, y, weights)
    repeated = clone(estimator).fit(data.repeat(weights, axis=0), y.repeat(weights))
    np.testing.assert_array_equal(weighted.row_labels_, repeated.row_labels_)
    np.testing.assert_allclose(weighted.predict(data), repeated.predict(data), atol=1e-7)


@pytest.mark.parametrize("solver", ["als", "gauss_newton", "gibbs"])
@pytest.mark.parametrize("fit_bias", [True, False])
def test_unknown_labels_get_the_bias(solver, fit_bias):
    fitted = model(solver=solver, fit_bias=fit_bias, rank=2).fit(X, Y)
    row, column, both = fitted.predict([[999, 3], [3, 999], [999, 999]])
    if solver == "gibbs":
        assert np.isfinite([row, column, both]).all()
    else:
        bias = np.array([fitted.column_bias_[3], fitted.row_bias_[3], 0])
        np.testing.assert_allclose([row, column, both], fitted.mean_ + bias, rtol=1e-12)


def test_labels_of_another_kind_are_refused():
    for fitted, asked in ((model().fit(X, Y), words(X)), (model().fit(words(X), Y), X)):
        before = pickle.dumps(fitted)
        for call in (fitted.predict, lambda X, f=fitted: f.partial_fit(X, Y)):
            with pytest.raises(ValueError, match="column 0 of X has .* where fit saw"):
                call(asked)
        assert pickle.dumps(fitted) == before


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@given(
    integers((8, 3), 0, 3),
    integers(8, -3, 3),
    st.sampled_from([2, 3]),
    st.sampled_from(
        [{}, {"loss": "huber"}, {"loss": "l1"}, {"nonnegative": True}, {"solver": "gibbs"}]
    ),
)
def test_predictions_are_finite_whatever_is_asked(data, y, n_features, options):
    fitted = model(max_iter=20, alpha=1.0, **options).fit(data[:, :n_features], y)
    everything = np.argwhere(np.ones([5] * n_features))
    assert np.isfinite(fitted.predict(everything)).all()
    assert np.abs(fitted.predict(everything)).max() < 100


BAD = {
    "one column": (X[:, :1], Y, "1 feature"),
    "one dimension": (X[:, 0], Y, "2D array"),
    "a series": (pd.Series(X[:, 0]), Y, "2D array|2-dim"),
    "a frame of one column": (pd.DataFrame(X[:, :1]), Y, "1 feature"),
    "NaN": (np.where(X == 3, np.nan, X), Y, "NaN"),
    "None": ([["a", None], ["b", "c"]], Y[:2], "NaN|column 1 of X"),
    "NaN in a frame": (pd.DataFrame({"a": ["x", None], "b": [1, 2]}), Y[:2], "column 0 of X"),
    "NaN of numbers": (pd.DataFrame({"a": [1.0, np.nan], "b": [1, 2]}), Y[:2], "column 0 of X"),
    "NA": (pd.DataFrame({"a": pd.array([1, None]), "b": [1, 2]}), Y[:2], "column 0 of X"),
    "empty frame": (pd.DataFrame({"a": [], "b": []}), Y[:0], "0 sample"),
    "ragged": ([[1, 2], [3]], Y[:2], "array"),
    "too many targets": (X, Y[:-1], "inconsistent"),
    "NaN target": (X, np.where(Y > 3, np.nan, Y), "y contains NaN"),
    "too small": (X, Y * 1e-310, "y has numbers"),
    "no hash": (np.array([[{}, 1], ["a", 2]], object), Y[:2], "column 0 of X"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused(case):
    data, y, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        model().fit(data, y)


def test_targets_of_single_precision_stay_so():
    fitted = model().fit(X, Y.astype(np.float32))
    assert fitted.predict(X).dtype == fitted.row_factors_.dtype == np.float32
    np.testing.assert_allclose(fitted.predict(X), model().fit(X, Y).predict(X), atol=1e-3)


# Context


def with_context(n, seed=0):
    """Pairs, weekdays and devices; targets, and what they are without noise."""
    rng = np.random.default_rng(seed)
    pairs, days = rng.integers([M, N], size=(n, 2)), rng.integers(0, 7, n)
    devices = rng.choice(["phone", "tablet"], n)
    clean = TRUTH[pairs[:, 0], pairs[:, 1]] + np.sin(days) + (devices == "phone")
    frame = pd.DataFrame({"i": pairs[:, 0], "j": ITEMS[pairs[:, 1]], "day": days, "on": devices})
    return frame, clean + 0.05 * rng.standard_normal(n), clean


@pytest.mark.parametrize("solver", ["als", "gibbs"])
def test_effects_of_context_are_found(solver):
    data, y, clean = with_context(3000)
    fitted = model(solver=solver).fit(data[:2000], y[:2000])
    blind = model().fit(data[["i", "j"]][:2000], y[:2000])
    errors = [
        root_mean_squared_error(clean[2000:], found)
        for found in (fitted.predict(data[2000:]), blind.predict(data[["i", "j"]][2000:]))
    ]
    assert errors[0] < 0.15 < 0.5 < errors[1]
    days, devices = fitted.context_effects_
    effects = np.sin(np.arange(7))
    np.testing.assert_allclose(days, effects - effects.mean(), atol=0.05)
    np.testing.assert_allclose(devices, [0.5, -0.5], atol=0.05)
    assert [labels.tolist() for labels in fitted.context_labels_] == [
        [*range(7)],
        ["phone", "tablet"],
    ]


def test_unknown_context_has_no_effect():
    data, y, _ = with_context(1000)
    fitted = model().fit(data, y)
    known = data[:1].assign(day=3)
    shift = fitted.predict(known) - fitted.predict(known.assign(day=99))
    np.testing.assert_allclose(shift, fitted.context_effects_[0][3], rtol=1e-10)


@pytest.mark.parametrize("loss", ["huber", "l1"])
def test_outliers_do_not_move_effects(loss):
    data, y, _ = with_context(3000)
    wrong = np.random.default_rng(1).random(len(y)) < 0.1
    fitted = model(loss=loss).fit(data, np.where(wrong, y + 100, y))
    np.testing.assert_allclose(fitted.context_effects_[1], [0.5, -0.5], atol=0.1)


def test_exact_data_with_context_are_met():
    data, _, clean = with_context(3000)
    fitted = model(alpha=0).fit(data[:2000], clean[:2000])
    np.testing.assert_allclose(fitted.predict(data[2000:]), clean[2000:], atol=1e-4)


def test_context_that_repeats_the_rows_is_harmless():
    repeated = np.column_stack([X, X[:, 0] // 10])
    train, test, y_train, y_test = train_test_split(repeated, Y, random_state=0)
    assert model().fit(train, y_train).score(test, y_test) > 0.95


# More ratings


def test_more_ratings_of_new_rows_and_columns():
    known = (X[:, 0] < 50) & (X[:, 1] < 30)
    fitted = model().fit(words(X[known]), Y[known])
    assert fitted.partial_fit(words(X[~known]), Y[~known]) is fitted
    assert fitted.row_labels_.tolist() == USERS[np.unique(X[:, 0])].tolist()
    dense = np.argwhere(np.ones((M, N)))
    errors = [
        root_mean_squared_error(TRUTH.ravel(), found.predict(words(dense)))
        for found in (fitted, model().fit(words(X), Y))
    ]
    assert errors[0] < 1.1 * errors[1] + 0.01


def test_ratings_in_parts():
    parts, weights = np.array_split(np.arange(len(X)), 4), np.ones(len(X))
    fitted = model(tol=1e-10, max_iter=2000)
    for part in parts:
        fitted.partial_fit(X[part], Y[part], weights[part] if part[0] else None)
    whole = model(tol=1e-10, max_iter=2000).fit(X, Y)
    np.testing.assert_allclose(fitted.history_[-1], whole.history_[-1], rtol=1e-3)
    np.testing.assert_allclose(fitted.predict(X), whole.predict(X), atol=0.01)


def test_a_part_of_others_is_learnt():
    """Rows and columns that share no entry with those known start from random numbers."""
    fitted = model().fit(X, Y).partial_fit(X + 1000, Y)
    assert root_mean_squared_error(fitted.predict(X + 1000), TRUTH[X[:, 0], X[:, 1]]) < 0.1


def test_few_ratings_more_take_few_sweeps():
    fitted = model().fit(X[:-10], Y[:-10])
    before = fitted.n_iter_
    assert fitted.partial_fit(X[-10:], Y[-10:]).n_iter_ < before / 2


def test_parts_have_weights_or_none():
    weights = np.random.default_rng(0).random(len(X)) + 0.5
    first, second = slice(0, 1000), slice(1000, None)
    fitted = model(tol=1e-10, max_iter=2000).fit(X[first], Y[first])
    fitted.partial_fit(X[second], Y[second], weights[second])
    whole = model(tol=1e-10, max_iter=2000)
    whole.fit(X, Y, np.where(np.arange(len(X)) < 1000, 1, weights))
    np.testing.assert_allclose(fitted.predict(X), whole.predict(X), atol=0.01)


def test_the_rank_grows_with_the_matrix():
    fitted = model().partial_fit(X[:2], Y[:2])
    assert fitted.rank_ < 3
    fitted.partial_fit(X[2:], Y[2:])
    assert fitted.rank_ == 3
    assert fitted.score(X, Y) > 0.98


def test_context_of_parts():
    data, y, _ = with_context(2000)
    early = (data["day"] < 5).to_numpy()
    fitted = model().fit(data[early], y[early]).partial_fit(data[~early], y[~early])
    effects = np.sin(np.arange(7))
    np.testing.assert_allclose(fitted.context_effects_[0], effects - effects.mean(), atol=0.07)


def test_a_failed_part_changes_nothing():
    fitted = model().fit(X, Y)
    before = pickle.dumps(fitted)
    for data, y in ((X[:, :1], Y), (np.c_[X, X], Y), (X, Y[:-1]), (X, np.full(len(X), np.inf))):
        with pytest.raises(ValueError):
            fitted.partial_fit(data, y)
        assert pickle.dumps(fitted) == before


def test_a_warm_start_goes_on():
    fitted = model(warm_start=True).fit(X, Y)
    cold = fitted.n_iter_
    assert fitted.fit(X, Y).n_iter_ < cold / 2
    assert fitted.set_params(rank=4).fit(X, Y).rank_ == 4
    assert fitted.set_params(rank=2).fit(X, Y).rank_ == 2
    other = clone(fitted).set_params(rank=2, warm_start=False).fit(X, Y)
    np.testing.assert_array_equal(fitted.predict(X), other.predict(X))  # begun anew


def test_a_warm_start_forgets_other_labels():
    fitted = model(warm_start=True).fit(X, Y).fit(X[X[:, 0] < 30], Y[X[:, 0] < 30])
    assert fitted.row_labels_.max() < 30
    assert fitted.score(X[X[:, 0] < 30], Y[X[:, 0] < 30]) > 0.98


def test_a_warm_start_takes_context_or_leaves_it():
    data, y, _ = with_context(1000)
    pairs = data[["i", "j"]]
    for first, second in ((pairs, data), (data, pairs)):
        fitted = model(warm_start=True).fit(first, y).fit(second, y)
        np.testing.assert_array_equal(
            fitted.predict(second), model().fit(second, y).predict(second)
        )


# Recommendations


@pytest.mark.parametrize("solver", ["als", "gibbs"])
def test_recommendations_are_the_best_that_are_new(solver):
    fitted = model(solver=solver).fit(words(X), Y)
    seen = set(X[X[:, 0] == 7, 1])
    new = [j for j in range(N) if j not in seen]
    predicted = fitted.predict(words(np.array([[7, j] for j in new])))
    best = np.argsort(-predicted, kind="stable")[:5]
    labels, values = fitted.recommend(USERS[7], 5)
    assert labels.tolist() == ITEMS[new][best].tolist()
    np.testing.assert_array_equal(values, predicted[best])
    everything, values = fitted.recommend(USERS[7], N, exclude_seen=False)
    assert sorted(everything) == ITEMS.tolist()
    assert (np.diff(values) <= 0).all()


def test_recommendations_for_many_rows(monkeypatch):
    monkeypatch.setattr("lowrank_la.completion._estimators_regressor._PAIRS", 3 * N)
    fitted = model().fit(X, Y)
    found = fitted.recommend((5, 999, 7, 5, *range(10)), 4)
    for row, (labels, values) in zip([5, 999, 7, 5, *range(10)], found, strict=True):
        alone = fitted.recommend(row, 4)
        np.testing.assert_array_equal(labels, alone[0])
        np.testing.assert_array_equal(values, alone[1])


def test_recommendations_for_rows_not_known():
    fitted = model().fit(X, Y)
    labels, values = fitted.recommend(999, 3)
    assert labels.tolist() == np.argsort(-fitted.column_bias_, kind="stable")[:3].tolist()
    np.testing.assert_allclose(values, fitted.mean_ + fitted.column_bias_[labels])


def test_there_may_be_nothing_to_recommend():
    fitted = model(rank=1).fit([["a", 1], ["a", 2], ["b", 1]], [1.0, 2.0, 3.0])
    labels, values = fitted.recommend("a")
    assert len(labels) == len(values) == 0
    assert fitted.recommend("b")[0].tolist() == [2]
    with pytest.raises(ValueError, match="row has numbers where fit saw text"):
        fitted.recommend(1)
    for n in (0, -1, 1.5, "many", None):
        with pytest.raises(ValueError, match="n="):
            fitted.recommend("a", n)


# Solvers


def test_standard_deviations_of_draws():
    train, test, y_train, y_test = train_test_split(X, Y, random_state=0)
    fitted = model(solver="gibbs").fit(train, y_train)
    mean, std = fitted.predict(test, return_std=True)
    np.testing.assert_array_equal(mean, fitted.predict(test))
    assert 0.8 < np.mean(np.abs(mean - y_test) < 2 * std) <= 1
    unknown = fitted.predict([[999, 999]], return_std=True)[1]
    assert unknown > 3 * np.median(std)
    with pytest.raises(ValueError, match="return_std"):
        model().fit(train, y_train).predict(test, return_std=True)


def test_options_reach_the_solver():
    assert (model(nonnegative=True).fit(X, Y).column_factors_ >= 0).all()
    assert not model(fit_bias=False).fit(X, Y).row_bias_.any()
    assert len(model(early_stopping=True).fit(X, Y).validation_history_)
    assert model(rank="auto", alpha=0.01).fit(X, Y).rank_ == 3
    assert model(rank=1000).fit(X, Y).rank_ == N
    with pytest.raises(ValueError, match="nonnegative"):
        model(nonnegative=True, solver="gibbs").fit(X, Y)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        assert not model(max_iter=1, tol=0).fit(X, Y).converged_


def test_a_callback_stops(Recorder):
    data, y, _ = with_context(1000)
    for samples, targets in ((X, Y), (data, y)):
        recorder = Recorder(stop=True)
        fitted = model().set_callbacks(recorder).fit(samples, targets)
        assert fitted.n_iter_ == 1
        assert recorder.calls == ["setup", "begin", "begin", "end", "end", "teardown"]


def test_one_observation_is_a_constant():
    fitted = model().fit([["a", "b"]], [7.0])
    np.testing.assert_allclose(fitted.predict([["a", "b"], ["x", "y"]]), 7.0)


def test_copies_go_on_alike():
    fitted = model().fit(X[:1000], Y[:1000])
    copy = pickle.loads(pickle.dumps(fitted))
    for estimator in (fitted, copy):
        estimator.partial_fit(X[1000:], Y[1000:])
    np.testing.assert_array_equal(fitted.predict(X), copy.predict(X))


def test_ratings_of_films(data_dir):
    data = np.load(data_dir / "completion" / "ml100k_u1.npz")
    train, test = (
        np.column_stack([data[f"{part}_user"], data[f"{part}_item"]]) for part in ("tr", "te")
    )
    fitted = MatrixCompletionRegressor(random_state=0).fit(train, data["tr_rating"])
    assert root_mean_squared_error(data["te_rating"], fitted.predict(test)) < 0.925
    films = fitted.recommend(train[0, 0], 5)[0]
    assert not set(films) & set(train[train[:, 0] == train[0, 0], 1])
