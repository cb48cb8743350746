"""The estimators: what they recover, how ranks are chosen, shapes, weights, refusals."""

import gzip
import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lowrank_la.sensing import LowRankClassifier, LowRankRegressor
from tests.sensing.problems import error, gaussian


def samples(shape=(9, 6), r=2, m=300, **options):
    """X, y and the coefficient; features of standard deviation one, and a constant."""
    A, y, M = gaussian(shape, r, m, **options)
    return A.reshape(m, -1) * np.sqrt(m), y * np.sqrt(m) + 3, M


X, Y, M = samples(noise=0.01)
BOTH = [LowRankRegressor(random_state=0), LowRankClassifier(random_state=0)]


def targets(model):
    return Y if isinstance(model, LowRankRegressor) else np.where(Y > 3, "yes", "no")


# Regression


def test_a_picture_is_found_better_than_by_ridge():
    rng = np.random.default_rng(0)
    picture = np.zeros((24, 24))
    picture[6:18, 8:16] = 1.0
    X = rng.standard_normal((288, 576))
    y = X @ picture.ravel() + rng.standard_normal(288)
    ridge = error(Ridge().fit(X, y).coef_.reshape(24, 24), picture)
    for model in (
        LowRankRegressor(random_state=0),
        LowRankRegressor(early_stopping=True, random_state=0),
    ):
        assert error(model.fit(X, y).coef_, picture) < ridge / 3
        assert model.rank_ == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("loss", ["squared", "absolute", "huber"])
def test_exact_targets(loss, form, dtype):
    X, y, M = samples()
    model = LowRankRegressor((9, 6), loss=loss, random_state=0).fit(form(X.astype(dtype)), y)
    assert error(model.coef_, M) < (1e-4 if dtype == np.float32 else 1e-8)
    assert model.rank_ == 2
    assert model.intercept_ == pytest.approx(3, abs=1e-4)
    assert model.coef_.dtype == model.left_.dtype == model.right_.dtype == dtype
    assert model.intercept_.dtype == model.predict(X.astype(dtype)).dtype == dtype
    np.testing.assert_allclose(model.left_ @ model.right_.T, model.coef_, atol=1e-5)
    np.testing.assert_allclose(model.predict(form(X)), y, atol=1e-3)
    assert model.converged_
    assert len(model.history_) == model.n_iter_


def test_gross_errors():
    X, y, M = samples(m=500, outliers=0.3)
    models = {
        loss: LowRankRegressor((9, 6), loss=loss, random_state=0).fit(X, y)
        for loss in ("squared", "huber", "absolute")
    }
    errors = {loss: error(model.coef_, M) for loss, model in models.items()}
    assert errors["absolute"] < 1e-8
    assert errors["huber"] < 0.3 * errors["squared"]
    assert models["absolute"].rank_ == 2


@pytest.mark.parametrize("solver", ["scaled_gd", "gradient_descent"])
def test_early_stopping(solver):
    X, y, M = samples((12, 12), 1, 150, noise=0.1)
    model = LowRankRegressor(solver=solver, early_stopping=True, random_state=0).fit(X, y)
    assert model.left_.shape == (12, 12)
    assert error(model.coef_, M) < 0.6 * error(Ridge().fit(X, y).coef_.reshape(12, 12), M)
    assert len(model.validation_history_) == model.n_iter_
    assert not len(model.bic_)


def test_gradient_descent_finds_the_same():
    X, y, M = samples()
    model = LowRankRegressor((9, 6), 2, solver="gradient_descent", tol=1e-4, random_state=0)
    assert error(model.fit(X, y).coef_, M) < 1e-3


def test_penalty_takes_rank_away():
    ranks = [
        LowRankRegressor((9, 6), 6, alpha=alpha, random_state=0).fit(X, Y).rank_
        for alpha in (0.001, 0.1, 1e6)
    ]
    assert ranks == [6, 2, 0]
    zero = LowRankRegressor(alpha=1e6, random_state=0).fit(X, Y)
    assert not zero.coef_.any()
    assert zero.intercept_ == pytest.approx(Y.mean())


def test_symmetric_is_positive_semidefinite():
    X, y, M = samples((8, 8), 2, 200, symmetric=True)
    for model in (LowRankRegressor(symmetric=True, random_state=0),):
        model.fit(X, y)
        assert error(model.coef_, M) < 1e-8
        np.testing.assert_array_equal(model.left_, model.right_)
        opposite = clone(model).set_params(rank=2).fit(X, 6 - y)
        assert np.linalg.eigvalsh(opposite.coef_).min() > -1e-6


# Classification


def test_two_digits():
    X, y = load_digits(return_X_y=True)
    rows = np.isin(y, (1, 8))
    X, y = X[rows] / 16, y[rows]
    ours, theirs = (
        cross_val_score(model, X, y, cv=3).mean()
        for model in (LowRankClassifier(random_state=0), LogisticRegression())
    )
    assert ours > theirs - 0.03
    model = LowRankClassifier(random_state=0).fit(X, y)
    assert model.converged_
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(X) == 8, proba[:, 1] > 0.5)
    np.testing.assert_array_equal(model.decision_function(X) > 0, proba[:, 1] > 0.5)


def test_few_samples_are_classified_better_than_by_logistic_regression():
    rng = np.random.default_rng(0)
    M = 4 * samples((10, 10), 1)[2]
    X = rng.standard_normal((900, 100))
    y = rng.random(900) < 1 / (1 + np.exp(-X @ M.ravel()))
    ours = LowRankClassifier(random_state=0, alpha=1e-3).fit(X[:300], y[:300])
    theirs = LogisticRegression().fit(X[:300], y[:300])
    assert ours.rank_ == 1
    assert ours.score(X[300:], y[300:]) > theirs.score(X[300:], y[300:]) + 0.03


def test_full_rank_without_penalty_is_logistic_regression():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 6))
    y = rng.random(200) < 1 / (1 + np.exp(-X @ np.arange(6.0) / 3 - 1))
    weights = rng.integers(0, 3, 200)
    ours = LowRankClassifier((2, 3), 2, alpha=0.0, random_state=0, tol=1e-14).fit(X, y, weights)
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(X, y, weights)
    np.testing.assert_allclose(ours.coef_.ravel(), theirs.coef_[0], rtol=1e-3)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_[0], rtol=1e-3)


def test_classes():
    several = OneVsRestClassifier(LowRankClassifier(rank=1, random_state=0))
    digits, labels = load_digits(n_class=3, return_X_y=True)
    assert several.fit(digits[:150] / 16, labels[:150]).score(digits[150:] / 16, labels[150:]) > 0.9
    with pytest.raises(ValueError, match="Only binary classification is supported"):
        LowRankClassifier().fit(digits, labels)
    with pytest.raises(ValueError, match="class"):
        LowRankClassifier().fit(X, np.ones(len(X)))
    with pytest.raises(ValueError, match="class"):
        LowRankClassifier().fit(X, Y > 3, Y > 3)
    stopped = LowRankClassifier(early_stopping=True, random_state=0)
    assert np.isfinite(stopped.fit(X, np.arange(len(X)) < 2).coef_).all()


# Both


@pytest.mark.parametrize("model", BOTH)
def test_weights_are_repeated_rows(model):
    weights = np.random.default_rng(0).integers(0, 3, len(X))
    y = targets(model)
    weighted = clone(model).fit(X, y, weights)
    repeated = clone(model).fit(X.repeat(weights, axis=0), y.repeat(weights))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(weighted.bic_, repeated.bic_, rtol=1e-6)


@pytest.mark.parametrize("model", BOTH)
def test_in_searches_and_pipelines(model):
    y = targets(model)
    grid = {"rank": [1, 2], "alpha": [1e-4, 1.0]}
    search = GridSearchCV(clone(model), grid, cv=3).fit(X, y)
    assert search.best_params_ == {"rank": 2, "alpha": 1e-4}
    piped = make_pipeline(StandardScaler(), clone(model)).fit(X, y)
    assert piped.score(X, y) > 0.9
    copy = pickle.loads(pickle.dumps(piped))
    np.testing.assert_array_equal(copy.predict(X), piped.predict(X))


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize(
    ("shape", "found"), [(None, (6, 9)), ((9, -1), (9, 6)), ((-1, 27), (2, 27)), ([54, 1], (54, 1))]
)
def test_shapes(model, shape, found):
    model = clone(model).set_params(shape=shape, rank=1).fit(X, targets(model))
    assert model.shape_ == model.coef_.shape == found


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize(
    "shape", [(5, 5), (7, -1), (-1, -1), (0, 54), (54,), (9, 6, 1), (9.0, 6), "54", (-9, -6)]
)
def test_wrong_shapes(model, shape):
    model = clone(model).set_params(rank=1).fit(X, targets(model))
    before = pickle.dumps(model.set_params(shape=shape))
    with pytest.raises(ValueError, match="shape"):
        model.fit(X, targets(model))
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("shape", [None, (9, 6)])
def test_symmetric_needs_a_square(shape):
    with pytest.raises(ValueError, match="symmetric=True needs square matrices"):
        LowRankRegressor(shape, symmetric=True).fit(X, Y)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_targets_that_are_not_finite(bad):
    with pytest.raises(ValueError, match="y"):
        LowRankRegressor().fit(X, np.r_[bad, Y[1:]])


@pytest.mark.parametrize("loss", ["squared", "absolute", "huber"])
@pytest.mark.parametrize(
    ("X", "y"),
    [(X, 0 * Y), (X, 0 * Y + 0.1), (X, 0 * Y - 7), (0 * X, Y), (0 * X, 0 * Y), (0 * X + 2, Y)],
    ids=["y zero", "y 0.1", "y constant", "X zero", "all zero", "X constant"],
)
def test_where_a_constant_says_all(X, y, loss):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LowRankRegressor(loss=loss, random_state=0).fit(X, y)
    between = {"squared": (1, 1), "absolute": (0, 0), "huber": (0, 1)}[loss]
    low, high = sorted(np.median(y) + share * (y.mean() - np.median(y)) for share in between)
    found, slack = model.predict(X), 0.05 * y.std() + 1e-12
    assert (found > low - slack).all()
    assert (found < high + slack).all()


def test_warnings():
    with pytest.warns(UserWarning, match="rank=7 is clipped to 6"):
        LowRankRegressor(rank=7, random_state=0).fit(X, Y)
    with pytest.warns(UserWarning, match="degrees of freedom"):
        LowRankRegressor(rank=2, random_state=0).fit(X[:10], Y[:10])
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        LowRankRegressor(rank=2, max_iter=2, random_state=0).fit(X, Y)


def test_progress(Recorder):
    stopping = Recorder(stop=True)
    model = LowRankRegressor(random_state=0).set_callbacks(stopping).fit(X, Y)
    assert model.n_iter_ <= 1
    assert {"setup", "begin", "end", "teardown"} == set(stopping.calls)


def test_two_digits_of_mnist(data_dir):
    folder = data_dir / "images"
    images = gzip.decompress((folder / "mnist-t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "mnist-t10k-labels-idx1-ubyte.gz").read_bytes())
    y = np.frombuffer(labels, np.uint8, offset=8)
    chosen = np.flatnonzero((y == 4) | (y == 9))[:1200]
    X = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 784)[chosen] / np.float32(255)
    y, scores = y[chosen], {}
    for rank in (1, 3):
        model = LowRankClassifier(rank=rank, random_state=0).fit(X[:600], y[:600])
        scores[rank] = model.score(X[600:], y[600:])
    assert model.shape_ == (28, 28)
    plain = LogisticRegression(max_iter=1000).fit(X[:600], y[:600]).score(X[600:], y[600:])
    assert max(scores.values()) > max(plain - 0.02, 0.9), (scores, plain)
