"""The estimators: samples that stand for all rows, for any model that takes weights."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from lowrank_la.linear_model import LpRegression, SketchedLinearRegression
from lowrank_la.sampling import (
    CoresetEstimator,
    RowSampler,
    leverage_scores,
    lewis_weights,
    lp_sensitivities,
    root_leverage_scores,
    sample_rows,
)
from lowrank_la.sampling._scores import SCORES

RNG = np.random.default_rng(0)
X = RNG.standard_t(3, (2000, 4))
Y = X @ [1.0, -2.0, 0.5, 3.0] + 0.1 * RNG.standard_normal(2000)
CLASSES = np.where(X[:, 0] + RNG.logistic(size=2000) > 0, "yes", "no").astype("U6")
CLASSES[[5, 777]] = "seldom"
every_score = pytest.mark.parametrize("scores", SCORES)
close = np.testing.assert_allclose


def sampler(n_samples=300, **options):
    return RowSampler(n_samples=n_samples, random_state=0, **options)


@parametrize_with_checks(
    [
        sampler(0.5, scores="sensitivity", p=1),
        sampler(0.5, scores="uniform", replace=False),
        RowSampler("leverage+sensitivity", p=3, augment="uniform", random_state=0),
        CoresetEstimator(LogisticRegression(), RowSampler(augment="uniform", random_state=0)),
        CoresetEstimator(Ridge(), RowSampler(p=1, random_state=0)),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# Rows drawn


def columns(y=Y, constant=True):
    return np.c_[X, y, np.ones(2000)][:, : 6 if constant else 5]


@pytest.mark.parametrize("p", [1, 2, 3])
@every_score
def test_scores_are_those_of_the_functions(scores, p):
    """Of features, targets and a constant."""
    rows = columns()
    leverage = leverage_scores(rows)
    sensitivity = lp_sensitivities(rows, p, method="approximate", eps=0.25, rng=0)
    expected = {
        "lewis": lewis_weights(rows, p).weights,
        "leverage": leverage,
        "root_leverage": root_leverage_scores(rows, p),
        "sensitivity": sensitivity,
        "leverage+sensitivity": leverage + sensitivity,
        "uniform": np.ones(2000),
    }
    found = sampler(scores=scores, p=p).fit(X, Y).scores_
    close(found, expected[scores], rtol=0.7 if "sensitivity" in scores and p != 2 else 1e-9)


@pytest.mark.parametrize("augment", ["leverage", "uniform"])
def test_half_of_the_scores(augment):
    plain = sampler(p=1).fit(X, Y).scores_
    found = sampler(p=1, augment=augment).fit(X, Y).scores_
    others = {"leverage": leverage_scores(columns()), "uniform": np.ones(2000)}[augment]
    close(found / found.sum(), (plain / plain.sum() + others / others.sum()) / 2)


def test_what_is_scored():
    for options, rows in [
        ({}, columns()),
        ({"include_target": False}, np.c_[X, np.ones(2000)]),
        ({"fit_intercept": False}, columns(constant=False)),
        ({"include_target": False, "fit_intercept": False}, X),
    ]:
        found = sampler(scores="leverage", **options).fit(X, Y).scores_
        close(found, leverage_scores(rows), rtol=1e-9)
        found = sampler(scores="leverage", **options).fit(sparse.csr_array(X), Y).scores_
        close(found, leverage_scores(rows), rtol=1e-9)
    targets = np.c_[Y, np.cos(Y)]
    found = sampler(scores="leverage").fit(X, targets).scores_
    close(found, leverage_scores(np.c_[X, targets, np.ones(2000)]), rtol=1e-9)
    found = sampler(scores="leverage").fit(X, CLASSES).scores_
    dummies = [CLASSES == "seldom", CLASSES == "yes"]
    close(found, leverage_scores(np.c_[X, np.transpose(dummies), np.ones(2000)]), rtol=1e-9)


def test_targets_that_are_objects():
    """Numbers are numbers, and words are classes."""
    numbers, words = (sampler().fit(X, y.astype(object)).scores_ for y in (Y, CLASSES))
    close(numbers, sampler().fit(X, Y).scores_, rtol=1e-12)
    close(words, sampler().fit(X, CLASSES).scores_, rtol=1e-12)


@every_score
@pytest.mark.parametrize("replace", [True, False])
def test_weights_stand_for_all_rows(scores, replace):
    weights = RNG.random(2000)
    totals = []
    for seed in range(20):
        drawn = sampler(scores=scores, p=1, replace=replace).set_params(random_state=seed)
        drawn.fit(X, Y, weights)
        assert len(drawn.sample_indices_) == len(drawn.sample_weight_) <= 300
        assert replace or len(drawn.sample_indices_) == 300
        totals.append(drawn.sample_weight_.sum())
    error = np.std(totals) / np.sqrt(20)
    assert abs(np.mean(totals) - weights.sum()) < 4 * error + 1e-9 * weights.sum()


@every_score
def test_weights_are_repetitions(scores):
    """Scores of copies add up to those of a row with their number as its weight."""
    weights = RNG.integers(0, 4, 300)
    origin = np.repeat(np.arange(300), weights)
    options = {"scores": scores, "p": 1, "n_samples": 50, "include_target": False}
    once = RowSampler(**options, random_state=0).fit(X[:300], sample_weight=weights)
    copies = RowSampler(**options, random_state=0).fit(X[:300][origin])
    together = np.bincount(origin, copies.scores_, 300)
    rtol = 0.3 if "sensitivity" in scores else 1e-2  # which a sample gives
    close(once.scores_ / once.scores_.sum(), together / together.sum(), rtol=rtol, atol=1e-12)
    assert not once.sample_weight_[weights[once.sample_indices_] == 0].size


@pytest.mark.parametrize("p", [0.5, 1, 2, 3])
@every_score
def test_as_many_as_theory_asks_for(scores, p):
    if p < 1 and "sensitivity" in scores:
        return
    guaranteed = {"uniform": [], "leverage": [2], "root_leverage": [0.5, 1, 2]}
    if p not in guaranteed.get(scores, [p]):
        with pytest.raises(ValueError, match="n_samples='auto' is not for"):
            RowSampler(scores, p=p).fit(X)
        return
    few, many, all_rows = (
        RowSampler(scores, p=p, eps=eps, random_state=0).fit(X[:, :1]) for eps in (0.9, 0.3, 1e-200)
    )
    assert 1 <= len(few.sample_indices_) <= len(many.sample_indices_) < 2001
    close(all_rows.sample_weight_, 1.0)
    assert len(all_rows.sample_indices_) == 2000


@pytest.mark.parametrize("p", [0.5, 1])
def test_as_many_as_root_leverage_scores_add_up_to(p):
    """A row of its own comes, though the scores of all others add up to far more than the rank."""
    rows = np.repeat(np.eye(2), [1, 199_999], axis=0)
    for seed in range(5):
        for weights in (None, np.full(200_000, 1e-6)):
            drawn = RowSampler("root_leverage", p=p, random_state=seed).fit(rows, None, weights)
            assert drawn.sample_indices_[0] == 0


def test_columns_stay_in_float32():
    """Unless targets are in float64, which could not be told apart in float32."""
    single = X.astype(np.float32)
    for y, dtype in [
        (None, np.float32), (CLASSES, np.float32), (Y.astype(np.float32), np.float32),
        (Y, np.float64),
    ]:  # fmt: skip
        assert sampler()._columns(single, y).dtype == dtype
    far = [sampler().fit(single, 1e12 + Y).scores_, sampler().fit(X, Y).scores_]
    close(*far, rtol=0.1)


@pytest.mark.parametrize(
    ("n_samples", "drawn"), [(1, 1), (7, 7), (2000, 2000), (0.25, 500), (1e-9, 1)]
)
def test_numbers_of_rows(n_samples, drawn):
    found = RowSampler("uniform", n_samples=n_samples, replace=False, random_state=0).fit(X)
    assert len(found.sample_indices_) == drawn
    for integer in (np.int32(7), np.uint8(7)):
        assert len(sampler(integer, replace=False).fit(X).sample_indices_) == 7


@pytest.mark.parametrize("scores", [score for score in SCORES if score != "uniform"])
@pytest.mark.parametrize("p", [1, 2, 3])
def test_the_only_row_of_its_category_is_kept(scores, p):
    categories = np.eye(4)[RNG.integers(0, 4, 2000)]
    categories[123] = 0
    rows = np.c_[X[:, :2], categories, np.arange(2000) == 123]
    for form in (np.asarray, sparse.csr_array):
        drawn = sampler(150, scores=scores, p=p).fit(form(rows))
        assert drawn.sample_weight_[drawn.sample_indices_ == 123] == [1.0]


def test_resampled_rows_keep_their_type():
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(2000) * 3)
    for data, y in [
        (X, Y), (frame, pd.Series(Y, index=frame.index)), (sparse.csr_array(X), Y),
        (sparse.csc_matrix(X), Y.tolist()), (X.tolist(), None),
    ]:  # fmt: skip
        model = sampler()
        rows, targets = model.fit_resample(data, y)
        assert type(rows) is type(data) or sparse.issparse(rows)
        assert type(targets) is type(y)
        dense = rows.toarray() if sparse.issparse(rows) else np.asarray(rows)
        np.testing.assert_array_equal(dense, X[model.sample_indices_])
        if y is not None:
            np.testing.assert_array_equal(targets, Y[model.sample_indices_])
    model = sampler()
    rows, _ = model.fit_resample(frame, Y)
    np.testing.assert_array_equal(rows.index, frame.index[model.sample_indices_])
    assert list(model.feature_names_in_) == list("abcd")
    rows, _ = model.fit_resample(sparse.coo_array(X), Y)
    np.testing.assert_array_equal(rows.toarray(), X[model.sample_indices_])


def test_seeds():
    one, same, other = (
        RowSampler(n_samples=50, random_state=seed).fit(X).sample_indices_ for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert one.tolist() != other.tolist()
    model = RowSampler(n_samples=50, random_state=np.random.RandomState(0))
    assert model.fit(X).sample_indices_.tolist() != model.fit(X).sample_indices_.tolist()


def test_draw_is_that_of_sample_rows():
    model = sampler(scores="leverage").fit(X)
    total = [sample_rows(model.scores_, 300, rng=seed)[1].sum() for seed in range(30)]
    assert min(total) < model.sample_weight_.sum() < max(total)


@pytest.mark.parametrize("rows", [X[:1], X[:, :1], X[:3], 0 * X, np.ones((50, 3)), np.c_[X, X]])
@pytest.mark.parametrize("scores", SCORES)
def test_edges(scores, rows):
    for p in (1, 2, 3):
        for n_samples in (1, 0.5):
            drawn = sampler(n_samples, scores=scores, p=p).fit(rows)
            assert len(drawn.sample_indices_) >= 1
            assert np.isfinite(drawn.sample_weight_).all()
            assert np.all(drawn.sample_weight_ > 0)


# Models of samples


def test_ridge():
    """The penalty keeps its meaning, and the sample its precision."""
    whole = Ridge(alpha=100.0).fit(X, Y)
    model = CoresetEstimator(Ridge(alpha=100.0), sampler()).fit(X, Y)
    close(model.estimator_.coef_, whole.coef_, atol=0.05)
    assert model.score(X, Y) == pytest.approx(whole.score(X, Y), abs=1e-3)
    weights = np.r_[np.ones(1000), np.zeros(1000)]
    model.fit(X, Y, weights)
    assert model.sampler_.sample_indices_.max() < 1000
    assert is_regressor(model)
    assert not is_classifier(model)


def test_least_squares_by_default():
    model = CoresetEstimator().fit(X, Y)
    assert isinstance(model.estimator_, SketchedLinearRegression)
    close(model.predict(X), Y, atol=1.0)
    exact = CoresetEstimator(sampler=sampler(2000)).fit(X, Y)
    close(exact.estimator_.coef_, LinearRegression().fit(X, Y).coef_)


@pytest.mark.parametrize("labels", [CLASSES, pd.Series(CLASSES), pd.Categorical(CLASSES),
                                    np.unique(CLASSES, return_inverse=True)[1]])  # fmt: skip
def test_every_class_survives(labels):
    model = CoresetEstimator(LogisticRegression(), sampler(100, augment="uniform"))
    for seed in range(5):
        model.set_params(sampler__random_state=seed).fit(X, labels)
        np.testing.assert_array_equal(model.classes_, np.unique(labels))
        assert {5, 777} <= set(model.sampler_.sample_indices_)
        assert model.predict_proba(X).shape == (2000, 3)
    assert is_classifier(model)
    whole = LogisticRegression().fit(X, labels).score(X, labels)
    assert model.score(X, labels) > whole - 0.05
    close(np.exp(model.predict_log_proba(X)), model.predict_proba(X))
    assert model.decision_function(X).shape == (2000, 3)
    assert set(model.predict(X)) <= set(np.unique(labels))


def test_lp_regression():
    """Absolute values, with outliers among the targets."""
    targets = Y + 100.0 * (RNG.random(2000) < 0.05)
    whole = LpRegression(1).fit(X, targets)
    model = CoresetEstimator(LpRegression(1), sampler(500, p=1)).fit(X, targets)
    close(model.estimator_.coef_, whole.coef_, atol=0.05)
    costs = [abs(targets - fitted.predict(X)).sum() for fitted in (whole, model)]
    assert costs[0] <= costs[1] < 1.02 * costs[0]


def test_k_means():
    points, labels = make_blobs(3000, centers=5, cluster_std=0.3, random_state=0)
    kmeans = KMeans(5, n_init=5, random_state=0)
    model = CoresetEstimator(kmeans, sampler(200, augment="uniform")).fit(points)
    whole = clone(kmeans).fit(points)
    assert -model.score(points) < 1.1 * whole.inertia_
    assert model.transform(points).shape == (3000, 5)
    assert len(set(zip(model.predict(points), labels, strict=True))) == 5


def test_methods_are_those_of_the_estimator():
    for estimator, names in [
        (Ridge(), {"predict", "score"}),
        (KMeans(), {"predict", "score", "transform"}),
        (GaussianNB(), {"predict", "score", "predict_proba", "predict_log_proba"}),
        (KernelDensity(), {"score"}),
    ]:
        found = {
            name
            for name in (
                "predict",
                "score",
                "transform",
                "predict_proba",
                "predict_log_proba",
                "decision_function",
            )  # fmt: skip
            if hasattr(CoresetEstimator(estimator), name)
        }
        assert found == names, estimator
    assert CoresetEstimator(KernelDensity(), sampler()).fit(X).score(X[:9]) < 0


def test_estimators_without_weights():
    with pytest.raises(ValueError, match="sample_weight"):
        CoresetEstimator(PCA()).fit(X)


def test_among_other_tools():
    model = make_pipeline(StandardScaler(), CoresetEstimator(Ridge(), sampler()))
    assert cross_val_score(model, X, Y).min() > 0.98
    grid = {
        "coresetestimator__estimator__alpha": [1e-3, 1e6],
        "coresetestimator__sampler__p": [1, 2],
    }
    search = GridSearchCV(model, grid, cv=3).fit(X, Y)
    assert search.best_params_["coresetestimator__estimator__alpha"] == 1e-3
    classes = make_pipeline(StandardScaler(), CoresetEstimator(LogisticRegression(), sampler()))
    grid = {"coresetestimator__sampler__n_samples": [200, 0.5]}
    assert GridSearchCV(classes, grid, cv=2).fit(X, CLASSES).best_score_ > 0.6


@pytest.mark.parametrize("estimator", [Ridge(), LogisticRegression(), KMeans(2, random_state=0)])
def test_copies(estimator):
    y = CLASSES if is_classifier(estimator) else Y
    model = CoresetEstimator(estimator, sampler()).fit(X, y)
    assert not hasattr(estimator, "n_features_in_"), "what was given is not fitted"
    assert not hasattr(model.sampler, "scores_")
    for copy in (pickle.loads(pickle.dumps(model)), clone(model).fit(X, y)):
        np.testing.assert_array_equal(copy.predict(X), model.predict(X))


def test_names_of_features():
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = CoresetEstimator(Ridge(), sampler()).fit(frame, pd.Series(Y))
    assert list(model.feature_names_in_) == list("abcd")
    assert list(model.estimator_.feature_names_in_) == list("abcd")
    plain = CoresetEstimator(Ridge(), sampler()).fit(X, Y)
    close(model.predict(frame), plain.predict(X), atol=1e-9)


def test_sparse_features():
    model = CoresetEstimator(Ridge(), sampler())
    dense = model.fit(X, Y).predict(X)
    close(clone(model).fit(sparse.csr_array(X), Y).predict(sparse.csr_array(X)), dense, atol=0.1)


# Real data


@pytest.fixture(scope="module")
def diamonds(data_dir):
    """Ten columns, among them dummies of cut; prices; some stones are far larger than others."""
    frame = pd.read_csv(data_dir / "sketching" / "diamonds.csv.gz")
    dummies = pd.get_dummies(frame["cut"], drop_first=True).to_numpy(float)
    return np.c_[frame[["carat", "depth", "table", "x", "y", "z"]], dummies], frame[
        "price"
    ].to_numpy(float)


@pytest.fixture(scope="module")
def houses(data_dir):
    """Quadratic features of districts, of which five are on islands."""
    frame = pd.read_csv(data_dir / "sketching" / "california_housing.csv.gz")
    y = frame.pop("median_house_value").to_numpy(float)
    dummies = pd.get_dummies(frame.pop("ocean_proximity"))
    numbers = StandardScaler().fit_transform(frame.fillna(frame.median()))
    squares = PolynomialFeatures(2, include_bias=False).fit_transform(numbers)
    return np.c_[dummies[["ISLAND", "NEAR BAY", "NEAR OCEAN", "<1H OCEAN"]], squares], y


def excess(X, y, scores, seed, n_samples):
    """Relative loss of the model of a sample above that of all rows, on all rows."""
    drawn = RowSampler(scores, n_samples=n_samples, random_state=seed)
    model = CoresetEstimator(sampler=drawn).fit(X, y)
    best = SketchedLinearRegression().fit(X, y)
    losses = [((y - fitted.predict(X)) ** 2).sum() for fitted in (model, best)]
    return losses[0] / losses[1] - 1


@pytest.mark.parametrize(("data", "n_samples"), [("diamonds", 500), ("houses", 1000)])
def test_where_uniform_samples_fail(data, n_samples, request):
    X, y = request.getfixturevalue(data)
    ours, uniform = (
        [excess(X, y, scores, seed, n_samples) for seed in range(5)]
        for scores in ("lewis", "uniform")
    )
    assert max(ours) < 0.06
    assert max(uniform) > 5 * max(ours)


def test_rare_categories_are_kept(houses):
    X, y = houses
    for seed in range(5):
        drawn = RowSampler(n_samples=500, random_state=seed).fit(X, y)
        assert X[drawn.sample_indices_, 0].any()
        uniform = RowSampler("uniform", n_samples=500, random_state=seed).fit(X, y)
        assert not X[uniform.sample_indices_, 0].any()


def test_median_prices(diamonds):
    """Of absolute values: a sample of a hundredth costs two per cent."""
    X, y = diamonds
    drawn = RowSampler(p=1, n_samples=1000, random_state=0)
    whole, model = (
        LpRegression(1).fit(X, y), CoresetEstimator(LpRegression(1), drawn).fit(X, y)
    )  # fmt: skip
    costs = [abs(y - fitted.predict(X)).sum() for fitted in (whole, model)]
    assert costs[0] <= costs[1] < 1.03 * costs[0]
