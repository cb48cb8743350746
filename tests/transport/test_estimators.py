import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import rotate
from scipy.spatial.distance import cdist
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lowrank_la.transport import SinkhornTransport, _maps, solve
from lowrank_la.transport._costs import CloudCosts
from tests.strategies import integers

RNG = np.random.default_rng(0)
SOURCE = RNG.normal(size=(30, 2))
TARGET = RNG.normal(size=(40, 2)) * [2, 0.5] + [5, -3]
X = np.r_[SOURCE, TARGET]
DOMAIN = np.r_[np.ones(30), -np.ones(40)]
NEW = RNG.normal(size=(15, 2))


def centred_costs(origin, onto, metric, points=None):
    """Costs from points of the first domain to the second."""
    points = origin if points is None else points
    if metric == "sqeuclidean":
        points, onto = points - origin.mean(axis=0), onto - onto.mean(axis=0)
    return cdist(points, onto, metric)


@pytest.fixture
def model():
    return SinkhornTransport()


@pytest.fixture
def fitted(model):
    return model.fit_domains(SOURCE, TARGET)


# What a fit finds


@pytest.mark.parametrize("metric", ["sqeuclidean", "euclidean", "cityblock"])
@pytest.mark.parametrize("method", ["auto", "sinkhorn"])
def test_same_as_the_solver(metric, method):
    model = SinkhornTransport(metric=metric, method=method).fit(X, sample_domain=DOMAIN)
    M = cdist(SOURCE, TARGET, metric)
    result = solve(M, reg=model.reg_, method=method)
    assert model.converged_
    assert model.cost_ == pytest.approx(result.value_linear, rel=1e-6)
    assert model.value_ == pytest.approx(result.value, rel=1e-7)
    np.testing.assert_allclose(model.coupling_.toarray(), result.plan, atol=1e-9)
    f, g = model.potentials_
    plan = np.exp((f[:, None] + g - centred_costs(SOURCE, TARGET, metric)) / model.reg_) / M.size
    np.testing.assert_allclose(plan, result.plan, atol=1e-9)
    assert len(model.history_) == model.n_iter_ >= 1
    np.testing.assert_array_equal(model.X_source_, SOURCE)
    np.testing.assert_array_equal(model.X_target_, TARGET)


@pytest.mark.parametrize("metric", ["sqeuclidean", "euclidean", "cityblock"])
def test_images_are_barycentric_projections(metric):
    model = SinkhornTransport(metric=metric).fit_domains(SOURCE, TARGET)
    plan = model.coupling_.toarray()
    forth = plan / plan.sum(axis=1, keepdims=True) @ TARGET
    back = plan.T / plan.T.sum(axis=1, keepdims=True) @ SOURCE
    np.testing.assert_allclose(model.transform(SOURCE), forth, atol=1e-7)
    np.testing.assert_allclose(model.inverse_transform(TARGET), back, atol=1e-7)


@pytest.mark.parametrize("metric", ["sqeuclidean", "euclidean", "cityblock"])
def test_new_samples_go_where_the_entropic_map_says(metric):
    model = SinkhornTransport(metric=metric).fit_domains(SOURCE, TARGET)
    for origin, onto, potential, move in (
        (SOURCE, TARGET, model.potentials_[1], model.transform),
        (TARGET, SOURCE, model.potentials_[0], model.inverse_transform),
    ):
        costs = centred_costs(origin, onto, metric, NEW)
        exponents = (potential - costs) / model.reg_
        weights = np.exp(exponents - exponents.max(axis=1, keepdims=True))
        expected = weights @ onto / weights.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(move(NEW), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("metric", ["sqeuclidean", "euclidean", "cityblock"])
@pytest.mark.parametrize("norm", [None, "median"])
def test_same_as_pot(metric, norm):
    da = pytest.importorskip("ot.da")
    reg = 0.3 if norm is None else 0.05
    theirs = da.SinkhornTransport(reg_e=reg, metric=metric, norm=norm, tol=1e-11, max_iter=10**5)
    theirs.fit(Xs=SOURCE, Xt=TARGET)
    ours = SinkhornTransport(reg, metric=metric, norm=norm, tol=1e-11)
    ours.fit_domains(SOURCE, TARGET)
    np.testing.assert_allclose(ours.coupling_.toarray(), theirs.coupling_, atol=1e-9)
    for points in (SOURCE, NEW):
        np.testing.assert_allclose(ours.transform(points), theirs.transform(points), atol=1e-6)
    for points in (TARGET, NEW):
        expected = theirs.inverse_transform(Xt=points)
        np.testing.assert_allclose(ours.inverse_transform(points), expected, atol=1e-6)


@pytest.mark.parametrize("metric", ["sqeuclidean", "euclidean", "cityblock"])
def test_without_a_matrix_of_costs(metric, monkeypatch):
    digits = load_digits().data[:150].astype(np.float32)
    model = SinkhornTransport(metric=metric)
    tabulated = clone(model).fit_domains(digits[:80], digits[80:])
    monkeypatch.setattr(_maps, "_ROOM", 0)
    monkeypatch.setattr(_maps, "_BLOCK", 1000)
    dense = CloudCosts.dense

    def of_some_rows(costs):
        assert costs.shape[0] < 80
        return dense(costs)

    monkeypatch.setattr(CloudCosts, "dense", of_some_rows)
    made_again = clone(model).fit_domains(digits[:80], digits[80:])
    moved = made_again.transform(digits)
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved, tabulated.transform(digits), rtol=1e-4, atol=1e-4)
    difference = made_again.coupling_ - tabulated.coupling_
    assert abs(difference).sum() < 1e-7


# Properties


@st.composite
def two_clouds(draw):
    d = draw(st.integers(1, 3))
    sizes = draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
    return [draw(integers((n, d), -9, 9)).astype(float) for n in sizes]


regs = st.sampled_from([0.01, 0.1, 0.5, 3.0])
metrics = st.sampled_from(["sqeuclidean", "euclidean", "cityblock"])


@given(two_clouds(), two_clouds(), regs, metrics)
def test_images_lie_in_the_convex_hull(clouds, others, reg, metric):
    source, target = clouds
    model = SinkhornTransport(reg, metric=metric).fit_domains(source, target)
    new = np.resize(others[0], (5, source.shape[1]))
    for points, move, onto in (
        (source, model.transform, target),
        (target, model.inverse_transform, source),
        (new, model.transform, target),
    ):
        directions = np.random.default_rng(0).normal(size=(source.shape[1], 50))
        images, hull = move(points) @ directions, onto @ directions
        assert (images <= hull.max(axis=0) + 1e-9).all()
        assert (images >= hull.min(axis=0) - 1e-9).all()


@given(two_clouds(), regs, metrics)
def test_means_of_images_are_means(clouds, reg, metric):
    """All mass arrives."""
    source, target = clouds
    model = SinkhornTransport(reg, metric=metric).fit_domains(source, target)
    np.testing.assert_allclose(model.transform(source).mean(0), target.mean(0), atol=1e-6)
    np.testing.assert_allclose(model.inverse_transform(target).mean(0), source.mean(0), atol=1e-6)


@given(two_clouds(), regs, metrics, st.sampled_from([2.0**-20, 0.25, 2.0**30]))
def test_units_do_not_matter(clouds, reg, metric, scale):
    source, target = clouds
    model = SinkhornTransport(reg, metric=metric)
    images = clone(model).fit_domains(source, target).transform(source)
    scaled = clone(model).fit_domains(scale * source, scale * target).transform(scale * source)
    np.testing.assert_allclose(scaled / scale, images, atol=1e-6)


@given(two_clouds(), regs, st.sampled_from([-7.0, 100.0, 2000.0]))
def test_a_shift_between_the_domains_does_not_matter(clouds, reg, shift):
    source, target = clouds
    images = SinkhornTransport(reg).fit_domains(source, target).transform(source)
    model = SinkhornTransport(reg).fit_domains(source + shift, target)
    np.testing.assert_allclose(model.transform(source + shift), images, atol=1e-4)


@given(st.data())
def test_a_translation_is_recovered(data):
    d = data.draw(st.integers(1, 3))
    drawn = data.draw(integers((data.draw(st.integers(2, 9)), d), -9, 9))
    source = np.unique(drawn, axis=0).astype(float)
    target = (source + data.draw(integers(d, -50, 50)))[
        data.draw(st.permutations(range(len(source))))
    ]
    model = SinkhornTransport(1e-4).fit_domains(source, target)
    shift = target.mean(axis=0) - source.mean(axis=0)
    np.testing.assert_allclose(model.transform(source), source + shift, atol=1e-4)
    np.testing.assert_allclose(model.inverse_transform(target), target - shift, atol=1e-4)


def test_onto_itself(global_random_seed):
    data = np.random.default_rng(global_random_seed).normal(size=(50, 3))
    away = []
    for reg in (1.0, 0.1, 1e-3):
        model = SinkhornTransport(reg).fit(data)
        smoothed = model.transform(data)
        away.append(abs(smoothed - data).max())
        np.testing.assert_allclose(model.inverse_transform(data), smoothed, atol=1e-6)
        np.testing.assert_allclose(
            model.coupling_.toarray(), model.coupling_.toarray().T, atol=1e-8
        )
    assert away[0] > away[1] > away[2]
    assert away[2] < 1e-3


# Domains


def test_source_rows_move_and_target_rows_stay(model):
    order = RNG.permutation(len(X))
    mixed, domain = X[order], DOMAIN[order]
    moved = model.fit_transform(mixed, sample_domain=domain)
    np.testing.assert_array_equal(moved[domain < 0], mixed[domain < 0])
    assert cdist(moved[domain > 0], TARGET).min(axis=1).max() < 1
    np.testing.assert_array_equal(model.transform(mixed, sample_domain=domain), moved)
    np.testing.assert_array_equal(model.transform(mixed), mixed)
    assert model.transform(mixed) is not mixed
    images = SinkhornTransport().fit_domains(SOURCE, TARGET).transform(SOURCE)
    np.testing.assert_allclose(moved[np.argsort(order)][:30], images, atol=1e-7)


def test_rows_of_no_domain_are_sources_where_fit_knew_none(model):
    images = model.fit_domains(SOURCE, TARGET).transform(SOURCE)
    np.testing.assert_array_equal(model.transform(SOURCE, sample_domain=np.ones(30)), images)
    np.testing.assert_array_equal(model.transform(SOURCE, sample_domain=-np.ones(30)), SOURCE)
    images = model.fit_transform(SOURCE)
    np.testing.assert_array_equal(model.fit(SOURCE).transform(SOURCE), images)
    np.testing.assert_array_equal(model.transform(SOURCE, sample_domain=np.ones(30)), images)
    assert abs(images - SOURCE).max() > 0.01


@pytest.mark.parametrize(
    "form", [list, pd.Series, pl.Series, lambda domain: (7 * domain).astype(np.int8)]
)
def test_forms_of_domains(model, form):
    expected = clone(model).fit_transform(X, sample_domain=DOMAIN)
    np.testing.assert_array_equal(model.fit_transform(X, sample_domain=form(DOMAIN)), expected)


@pytest.mark.parametrize(
    "bad", [
        np.ones(69), np.ones((70, 1)), np.zeros(70), np.full(70, np.nan), np.full(70, "source"),
        np.where(DOMAIN > 0, 1, 0), DOMAIN > 0, 1, "source", DOMAIN + 1j, [[1], [1, 2]],
    ]
)  # fmt: skip
def test_bad_domains(model, bad):
    with pytest.raises(ValueError, match="sample_domain"):
        model.fit(X, sample_domain=bad)
    assert not hasattr(model, "n_features_in_")
    model.fit(X, sample_domain=DOMAIN)
    with pytest.raises(ValueError, match="sample_domain"):
        model.transform(X, sample_domain=bad)


@pytest.mark.parametrize("sign", [1, -1])
def test_both_domains_are_needed(model, sign):
    with pytest.raises(ValueError, match="sample_domain has .* samples of the source and"):
        model.fit(X, sample_domain=np.full(70, sign))


def test_one_sample_to_one(model):
    model.fit_domains([[1.0, 2.0]], [[4.0, 6.0]])
    np.testing.assert_array_equal(model.transform([[1.0, 2.0], [9.0, 9.0]]), [[4, 6], [4, 6]])
    assert model.cost_ == 25


@pytest.mark.parametrize(
    ("Xs", "Xt", "named"), [
        (SOURCE, TARGET[:, :1], "Xt"), (SOURCE[:0], TARGET, "Xs"), (SOURCE, [[np.nan, 1]], "Xt"),
        (None, TARGET, "Xs"), (SOURCE, "target", "Xt"), (SOURCE * np.inf, TARGET, "Xs"),
    ]
)  # fmt: skip
def test_bad_clouds_are_named(model, Xs, Xt, named):
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=f"^{named}: "):
        model.fit_domains(Xs, Xt)
    assert not hasattr(model, "n_features_in_")


def test_what_was_fitted_is_kept(model):
    data = X.copy()
    model.fit(data, sample_domain=DOMAIN)
    before = pickle.dumps(model)
    data[:] = 0
    assert pickle.dumps(model) == before
    for bad in (SOURCE[:, :1], SOURCE * 1e300):
        with pytest.raises(ValueError, match="X"):
            model.transform(bad, sample_domain=np.ones(30))


def test_too_few_passes_warn(model):
    with pytest.warns(ConvergenceWarning, match="max_iter") as record:
        model.set_params(max_iter=2).fit(X, sample_domain=DOMAIN)
    assert (model.converged_, model.n_iter_) == (False, 2)
    assert np.isfinite(model.transform(X, sample_domain=DOMAIN)).all()
    assert len(record) == 1


@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_before_fit(model, method):
    with pytest.raises(NotFittedError):
        getattr(model, method)(X)
    with pytest.raises(NotFittedError):
        model.coupling_  # noqa: B018
    assert not hasattr(model, "coupling_")


# Among others


def test_frames_and_their_names(model):
    expected = clone(model).fit(X, sample_domain=DOMAIN).transform(X, sample_domain=DOMAIN)
    for frame in (pd.DataFrame(X, columns=["a", "b"]), pl.DataFrame(X, schema=["a", "b"])):
        fitted = clone(model).fit(frame, sample_domain=DOMAIN)
        np.testing.assert_array_equal(fitted.transform(frame, sample_domain=DOMAIN), expected)
        assert fitted.get_feature_names_out().tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="Xt: .*feature names"):
        model.fit_domains(pd.DataFrame(X, columns=["a", "b"]), pd.DataFrame(X, columns=["b", "a"]))


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_set_output(model, output):
    model.set_output(transform=output)
    for frame in (
        model.fit_transform(X, sample_domain=DOMAIN),
        model.transform(X, sample_domain=DOMAIN),
    ):
        assert type(frame).__module__.startswith(output)
        assert list(frame.columns) == ["x0", "x1"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(fitted, dtype):
    data = SOURCE.astype(dtype)
    model = clone(fitted).fit_domains(data, TARGET.astype(dtype))
    assert model.transform(data).dtype == model.inverse_transform(data).dtype == dtype
    np.testing.assert_allclose(model.transform(data), fitted.transform(SOURCE), atol=1e-4)


def test_callbacks_of_scikit_learn(model, Recorder):
    recorder = Recorder()
    model.set_callbacks(recorder).fit(X)
    assert recorder.calls.count("end") == model.n_iter_ + 1
    recorder = Recorder()
    model.set_callbacks(recorder).fit_domains(SOURCE, TARGET)
    assert recorder.calls.count("end") == model.n_iter_ + 1
    assert (recorder.calls[0], recorder.calls[-1]) == ("setup", "teardown")


def test_a_callback_may_stop_the_fit(model, Recorder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.set_params(reg=1e-3).set_callbacks(Recorder(stop=True)).fit(X)
    assert (model.n_iter_, model.converged_) == (1, False)


# Domain adaptation: digits, and digits that are rotated or shifted, and paler


@pytest.fixture(scope="module", params=["rotated", "shifted"])
def domains(request):
    """Digits, half of them changed; their labels, and which of the two they are."""
    images, y = load_digits(return_X_y=True)
    images, y = images[:400].reshape(-1, 8, 8), y[:400]
    if request.param == "rotated":
        changed = rotate(images, 15, axes=(2, 1), reshape=False, order=1)
    else:
        changed = np.roll(images, 1, axis=1)
    domain = np.where(np.random.default_rng(0).random(len(y)) < 0.5, 1, -1)
    mixed = np.where(domain[:, None, None] > 0, images, 0.6 * changed)
    return mixed.reshape(-1, 64), y, domain


@pytest.fixture
def classifier():
    return RidgeClassifier(100.0)


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def weights(domain):
    """Labels of the source are learned from; those of the target are scored."""
    return {"sample_weight": 1.0 * (domain > 0), "on_target": 1.0 * (domain < 0)}


def validation():
    scorer = make_scorer(accuracy_score).set_score_request(sample_weight="on_target")
    return {"scoring": scorer, "cv": StratifiedKFold(4, shuffle=True, random_state=0)}


@pytest.mark.parametrize("asked", [False, True])
def test_digits_of_another_domain(domains, classifier, asked, routing):
    images, y, domain = domains
    classifier.set_fit_request(sample_weight=True)
    transport = SinkhornTransport()
    if asked:  # what it asks for anyway
        transport.set_fit_request(sample_domain=True)
    given = weights(domain)
    before = cross_val_score(classifier, images, y, params=given, **validation())
    given["sample_domain"] = domain
    model = make_pipeline(transport, classifier)
    after = cross_val_score(model, images, y, params=given, **validation())
    assert after.mean() > before.mean() + 0.15


def test_grid_search(domains, classifier, routing):
    images, y, domain = domains
    model = make_pipeline(SinkhornTransport(), classifier.set_fit_request(sample_weight=True))
    grid = {"sinkhorntransport__reg": [0.5, 20.0]}
    search = GridSearchCV(model, grid, **validation())
    search.fit(images, y, sample_domain=domain, **weights(domain))
    found = search.cv_results_["mean_test_score"]
    assert found[0] > found[1] + 0.1
    assert search.best_params_ == {"sinkhorntransport__reg": 0.5}
    transport = search.best_estimator_[0]
    assert len(transport.X_source_) == (domain > 0).sum()
    on_target = search.predict(images[domain < 0]) == y[domain < 0]
    assert on_target.mean() > 0.5


def test_a_pipeline_where_metadata_are_not_routed(domains, classifier):
    images, y, domain = domains
    model = make_pipeline(StandardScaler(), SinkhornTransport(), classifier)
    model.fit(
        images, y,
        sinkhorntransport__sample_domain=domain, ridgeclassifier__sample_weight=1.0 * (domain > 0),
    )  # fmt: skip
    by_hand = SinkhornTransport().fit_domains(
        *(model[0].transform(images[rows]) for rows in (domain > 0, domain < 0))
    )
    moved = by_hand.transform(model[0].transform(images[domain > 0]))
    expected = clone(classifier).fit(moved, y[domain > 0])
    target = model[0].transform(images[domain < 0])
    assert (model.predict(images[domain < 0]) == expected.predict(target)).mean() > 0.99


def test_samples_in_the_place_of_labels_are_refused():
    with pytest.raises(ValueError, match=r"y has shape .* fit_domains\(Xs, Xt\)"):
        SinkhornTransport().fit(SOURCE, TARGET)


def test_a_coupling_of_much_regularisation_is_whole():
    model = SinkhornTransport(20.0).fit_domains(*np.random.default_rng(0).normal(size=(2, 300, 3)))
    assert model.coupling_.nnz == 300 * 300
    np.testing.assert_allclose(model.coupling_.sum(axis=0), 1 / 300, rtol=1e-5)


@pytest.mark.parametrize("shift", [0, 1e5, 1e8])
def test_a_shift_between_the_domains_changes_nothing(shift):
    model = SinkhornTransport().fit_domains(SOURCE, TARGET + shift)
    still = SinkhornTransport().fit_domains(SOURCE, TARGET)
    assert model.converged_
    np.testing.assert_allclose(
        model.transform(SOURCE) - shift, still.transform(SOURCE), atol=1e-6 + 1e-14 * shift
    )
