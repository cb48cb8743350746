import os
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits, make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lowrank_la import cluster
from lowrank_la._support import validation
from lowrank_la.cluster import DynMSC, KMedoids, dynmsc, fasterpam, pairwise_distances
from tests.reference import kmedoids as naive

X, TRUTH = make_blobs(120, 3, centers=4, cluster_std=0.5, random_state=0)
DIGITS = load_digits().data


@pytest.fixture
def model():
    return KMedoids(4, random_state=0)


def assert_same_clustering(one, other):
    np.testing.assert_array_equal(one.medoid_indices_, other.medoid_indices_)
    np.testing.assert_array_equal(one.labels_, other.labels_)


# What a fit finds


def test_finds_blobs(model):
    model.set_params(n_init=5).fit(X)
    for label in range(4):
        assert len(np.unique(TRUTH[model.labels_ == label])) == 1


def test_attributes(model):
    model.fit(X)
    np.testing.assert_array_equal(model.cluster_centers_, X[model.medoid_indices_])
    np.testing.assert_array_equal(model.labels_[model.medoid_indices_], range(4))
    assert (model.n_features_in_, model.converged_) == (3, True)
    assert len(model.history_) == model.n_iter_ >= 1


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cityblock", "cosine", "chebyshev"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_inertia_is_the_true_loss(metric, dtype, weighted, global_random_seed):
    data = DIGITS[:300].astype(dtype)
    weights = np.random.default_rng(global_random_seed).random(300) if weighted else None
    model = KMedoids(7, metric=metric, random_state=global_random_seed)
    model.fit(data, sample_weight=weights)
    exact = cdist(data.astype(float), data[model.medoid_indices_].astype(float), metric)
    loss = np.dot(np.ones(300) if weights is None else weights, exact.min(axis=1))
    assert model.inertia_ == pytest.approx(loss, rel=1e-9)
    np.testing.assert_allclose(exact[range(300), model.labels_], exact.min(axis=1), rtol=1e-5)
    assert model.score(data, sample_weight=weights) == pytest.approx(-loss, rel=1e-5)


def test_same_as_the_solver(model):
    diss = cdist(X, X)
    result = fasterpam(diss, 4, random_state=0)
    model.fit(X)
    np.testing.assert_array_equal(model.medoid_indices_, result.medoids)
    np.testing.assert_array_equal(model.labels_, result.labels)
    assert (model.n_iter_, model.inertia_) == (result.n_iter, pytest.approx(result.loss, rel=1e-12))


def test_no_single_swap_improves(global_random_seed):
    model = KMedoids(3, metric="cityblock", random_state=global_random_seed).fit(X[:30])
    diss = cdist(X[:30], X[:30], "cityblock")
    best = naive.best_single_swap(diss, model.medoid_indices_)
    assert best >= model.inertia_ * (1 - 1e-9)


# New samples


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "cosine", "minkowski"])
def test_predict_and_transform(metric):
    params = {"p": 3} if metric == "minkowski" else {}
    model = KMedoids(4, metric=metric, metric_params=params, random_state=0).fit(X[:80])
    expected = cdist(X[80:], model.cluster_centers_, metric, **params)
    np.testing.assert_allclose(model.transform(X[80:]), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(model.predict(X[80:]), expected.argmin(axis=1))
    np.testing.assert_array_equal(model.predict(X[:80]), model.labels_)
    assert model.score(X[80:]) == pytest.approx(-expected.min(axis=1).sum(), rel=1e-9)


def test_predict_in_batches(model, monkeypatch):
    model.fit(X)
    whole = model.predict(X)
    monkeypatch.setattr("lowrank_la.cluster._estimators_base._PREDICT_ROWS", 7)
    np.testing.assert_array_equal(model.predict(X), whole)


@pytest.mark.parametrize("method", ["predict", "transform", "score", "get_feature_names_out"])
def test_before_fit(model, method):
    with pytest.raises(NotFittedError):
        getattr(model, method)(*[X][: method != "get_feature_names_out"])


def test_the_range_of_float32_is_kept(model):
    data = X.astype(np.float32)
    model.fit(data)
    assert model.transform(data).dtype == model.cluster_centers_.dtype == np.float32


# Dissimilarities, sparse data, objects


def test_precomputed(model):
    diss = cdist(X, X)
    given = clone(model).set_params(metric="precomputed").fit(diss[:80, :80])
    model.fit(X[:80])
    assert_same_clustering(given, model)
    assert given.cluster_centers_ is None
    np.testing.assert_array_equal(given.predict(diss[80:, :80]), model.predict(X[80:]))
    np.testing.assert_allclose(given.transform(diss[80:, :80]), model.transform(X[80:]))
    assert given.__sklearn_tags__().input_tags.pairwise
    for wrong in (diss[80:], diss[80:, :79], X[80:]):
        with pytest.raises(ValueError, match=r"X has shape .* an \(n, 80\) matrix"):
            given.predict(wrong)


def test_precomputed_asymmetric():
    """Row i holds what it costs to serve object i."""
    diss = np.random.default_rng(0).integers(1, 100, (40, 40)).astype(float)
    np.fill_diagonal(diss, 0)
    model = KMedoids(3, metric="precomputed", random_state=0).fit(diss)
    assert model.inertia_ == naive.loss(diss, model.medoid_indices_)
    assert naive.best_single_swap(diss, model.medoid_indices_) >= model.inertia_
    np.testing.assert_array_equal(model.predict(diss), model.labels_)


@pytest.mark.parametrize("wrong", [np.ones((5, 4)), np.ones((4, 5)), sparse.csr_array(np.eye(5))])
def test_precomputed_must_be_square_and_dense(wrong):
    with pytest.raises((ValueError, TypeError)):
        KMedoids(2, metric="precomputed").fit(wrong)


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "cosine"])
@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csr_array, sparse.csc_array])
def test_sparse(metric, form):
    data = DIGITS[:100]
    dense = KMedoids(5, metric=metric, init="first").fit(data)
    model = KMedoids(5, metric=metric, init="first").fit(form(data))
    assert_same_clustering(model, dense)
    assert sparse.issparse(model.cluster_centers_)
    np.testing.assert_array_equal(model.cluster_centers_.toarray(), dense.cluster_centers_)
    np.testing.assert_array_equal(model.predict(form(data)), dense.labels_)


def hamming(one, other):
    return sum(a != b for a, b in zip(one, other, strict=False)) + abs(len(one) - len(other))


@pytest.mark.parametrize(
    "objects",
    [
        ["karolin", "kathrin", "kerstin", "alpha", "alphas", "alpine"],
        [(1, 2, 3), (1, 2, 4), (1, 2), (9, 9, 9), (9, 9), (9, 9, 8)],
        [{"a"}, {"b"}, {"a", "b"}, {"x"}, {"y"}, {"x", "y"}],
        [b"ab", b"ac", b"ad", b"xyz", b"xyw", b"xyv"],
        np.array(["karo", "kath", "kers", "alph", "albs", "alpi"]),
        pd.Series(["karo", "kath", "kers", "alph", "albs", "alpi"]),
    ],
    ids=["strings", "tuples", "sets", "bytes", "array of strings", "series"],
)
def test_objects_of_any_kind(objects):
    def metric(one, other):
        return len(one ^ other) if isinstance(one, set) else hamming(one, other)

    things = list(objects)
    diss = np.array([[metric(a, b) for b in things] for a in things], float)
    model = KMedoids(2, metric=metric, init="build").fit(objects)
    assert model.inertia_ == naive.loss(diss, model.medoid_indices_)
    assert list(model.cluster_centers_) == [things[i] for i in model.medoid_indices_]
    np.testing.assert_array_equal(model.predict(objects), model.labels_)
    np.testing.assert_array_equal(model.transform(objects), diss[:, model.medoid_indices_])


def test_a_function_of_rows():
    def metric(one, other, power=1):
        return float((np.abs(one - other) ** power).sum())

    model = KMedoids(4, metric=metric, metric_params={"power": 2}, init="first").fit(X)
    assert_same_clustering(model, KMedoids(4, metric="sqeuclidean", init="first").fit(X))
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    assert model.n_features_in_ == 3


def test_a_refit_on_objects_forgets_the_features():
    model = KMedoids(2, init="build").fit(pd.DataFrame(X, columns=["a", "b", "c"]))
    model.set_params(metric=hamming).fit(["one", "two", "three", "four"])
    assert not hasattr(model, "n_features_in_")
    assert not hasattr(model, "feature_names_in_")
    assert model.predict(["two"]).shape == (1,)


@pytest.mark.parametrize("objects", [None, 5, [], "a string"])
def test_what_is_no_collection_of_objects_is_named(objects):
    model = KMedoids(2, metric=hamming, init="build")
    with pytest.raises((ValueError, TypeError), match=r"\bX\b|n_samples"):
        model.fit(objects)
    model.fit(["one", "two", "three"])
    with pytest.raises((ValueError, TypeError), match=r"\bX\b|sample"):
        model.predict(objects)


@pytest.mark.parametrize(
    "metric", ["seuclidean", "mahalanobis", "correlation", "braycurtis", "minkowski", "haversine"]
)
def test_other_metrics(metric):
    data = X[:60, :2] if metric == "haversine" else X[:60]
    model = KMedoids(3, metric=metric, random_state=0).fit(data)
    np.testing.assert_array_equal(model.predict(data), model.labels_)
    distances = model.transform(data)
    assert model.inertia_ == pytest.approx(distances.min(axis=1).sum(), rel=1e-9)
    np.testing.assert_allclose(distances[model.medoid_indices_, range(3)], 0, atol=1e-7)


# Weights and starts


def test_weights_repeat_samples():
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    repeated = np.repeat(X, weights, axis=0)
    one = KMedoids(4, init="build").fit(X, sample_weight=weights)
    other = KMedoids(4, init="build").fit(repeated)
    np.testing.assert_array_equal(one.cluster_centers_, other.cluster_centers_)
    assert one.inertia_ == pytest.approx(other.inertia_, rel=1e-12)
    assert np.all(weights[one.medoid_indices_] > 0)


def test_given_medoids(model):
    start = [5, 50, 100, 110]
    result = fasterpam(cdist(X, X), start)
    model.set_params(init=start).fit(X)
    np.testing.assert_array_equal(model.medoid_indices_, result.medoids)
    assert start == [5, 50, 100, 110]
    start = np.array(start)
    model.set_params(init=start).fit(X)
    np.testing.assert_array_equal(start, [5, 50, 100, 110])


@pytest.mark.parametrize(
    "init", [[0, 1, 2], [0, 1, 2, 2], [0, 1, 2, 999], [0.5, 1, 2, 3], [[0, 1, 2, 3]]]
)
def test_bad_given_medoids(model, init):
    with pytest.raises(ValueError, match="init|medoids"):
        model.set_params(init=init).fit(X)


def test_the_best_start_is_kept(global_random_seed):
    data = np.random.default_rng(global_random_seed).random((300, 6))  # no clusters: many optima
    rng = np.random.default_rng(global_random_seed)
    single = [KMedoids(20, random_state=rng).fit(data).inertia_ for _ in range(5)]
    rng = np.random.default_rng(global_random_seed)
    best = KMedoids(20, n_init=5, random_state=rng).fit(data).inertia_
    assert best == min(single) < max(single)


@pytest.mark.parametrize("seed", [3, np.random.default_rng(3), np.random.RandomState(3)])
def test_seeds(seed):
    start = pickle.dumps(seed)
    one = KMedoids(9, random_state=pickle.loads(start)).fit(DIGITS[:200])
    other = KMedoids(9, random_state=pickle.loads(start)).fit(DIGITS[:200])
    assert_same_clustering(one, other)


def test_too_few_passes_warn(model):
    model.set_params(n_clusters=10, max_iter=1)
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        model.fit(DIGITS[:300])
    assert (model.n_iter_, model.converged_) == (1, False)


@pytest.mark.parametrize("n_clusters", [1, 2, 119, 120])
def test_any_number_of_clusters(n_clusters):
    model = KMedoids(n_clusters, random_state=0).fit(X)
    assert len(np.unique(model.medoid_indices_)) == n_clusters
    assert (model.inertia_ == 0) == (n_clusters == 120)


def test_more_clusters_than_samples(model):
    with pytest.raises(ValueError, match="n_clusters"):
        model.set_params(n_clusters=121).fit(X)


def test_equal_samples():
    model = KMedoids(3, random_state=0).fit(np.ones((10, 2)))
    assert len(np.unique(model.medoid_indices_)) == 3
    assert model.inertia_ == 0


# Among others


def test_frames_and_their_names(model):
    names = ["a", "b", "c"]
    expected = clone(model).fit(X).labels_
    for frame in (pd.DataFrame(X, columns=names), pl.DataFrame(X, schema=names)):
        fitted = clone(model).fit(frame)
        np.testing.assert_array_equal(fitted.labels_, expected)
        assert fitted.feature_names_in_.tolist() == names
        np.testing.assert_array_equal(fitted.predict(frame), expected)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_set_output(model, output):
    frame = model.set_output(transform=output).fit_transform(X)
    assert type(frame).__module__.startswith(output)
    assert list(frame.columns) == [f"kmedoids{i}" for i in range(4)]
    np.testing.assert_allclose(frame.to_numpy(), cdist(X, model.cluster_centers_), atol=1e-9)


def test_pipeline_and_grid_search():
    pipeline = make_pipeline(StandardScaler(), KMedoids(random_state=0))
    grid = {"kmedoids__n_clusters": [2, 4], "kmedoids__metric": ["euclidean", "cityblock"]}
    serial, parallel = (
        GridSearchCV(pipeline, grid, cv=3, n_jobs=n_jobs).fit(X) for n_jobs in (1, 2)
    )
    assert serial.best_params_["kmedoids__n_clusters"] == 4
    for key in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(serial.cv_results_[key], parallel.cv_results_[key])


def test_grid_search_on_dissimilarities():
    search = GridSearchCV(KMedoids(metric="precomputed", random_state=0), {"n_clusters": [2, 4]})
    assert search.fit(cdist(X, X)).best_params_ == {"n_clusters": 4}


def test_weights_are_routed(model):
    weights = np.arange(len(X), dtype=float)
    expected = clone(model).fit(X, sample_weight=weights)
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(clone(model).set_fit_request(sample_weight=True))
        pipeline.fit(X, sample_weight=weights)
    assert_same_clustering(pipeline[-1], expected)
    assert expected.inertia_ != clone(model).fit(X).inertia_


def test_workers_read_mapped_data():
    """joblib hands arrays of more than a megabyte to processes as read-only memory maps."""
    data = np.random.default_rng(0).normal(size=(700, 300))
    assert data.nbytes > 2**20
    search = GridSearchCV(KMedoids(random_state=0), {"n_clusters": [2, 3]}, cv=2, n_jobs=2)
    assert search.fit(data).best_params_ == {"n_clusters": 3}


def test_copies(model):
    model.fit(X)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.labels_)
    assert not hasattr(clone(model), "labels_")
    assert_same_clustering(clone(model).fit(X), model)


# Progress and limits


def test_verbose_shows_progress(model, capsys):
    model.fit(X)
    assert capsys.readouterr() == ("", "")
    model.set_params(verbose=1).fit(X)
    shown = capsys.readouterr()
    assert "KMedoids" in shown.err
    assert shown.out == ""


def test_callbacks_of_scikit_learn(Recorder):
    recorder = Recorder()
    model = KMedoids(10, init="first").set_callbacks(recorder).fit(DIGITS[:300])
    assert_same_clustering(model, KMedoids(10, init="first").fit(DIGITS[:300]))
    assert recorder.calls.count("begin") == recorder.calls.count("end") == model.n_iter_ + 1
    assert (recorder.calls[0], recorder.calls[-1]) == ("setup", "teardown")


def test_a_callback_may_stop_the_fit(Recorder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = KMedoids(10, init="first").set_callbacks(Recorder(stop=True)).fit(DIGITS[:300])
    assert model.n_iter_ == 1
    assert not model.converged_


def test_a_matrix_too_large_is_refused(model, monkeypatch):
    monkeypatch.setattr(validation, "_physical_memory", lambda: 2 * 8 * 120**2 - 2)
    model.set_params(method="fasterpam")
    with pytest.raises(MemoryError, match="120 samples"):
        model.fit(X)
    assert not hasattr(model, "labels_")
    with pytest.raises(MemoryError, match="OneBatchKMedoids"):
        model.set_params(method="auto", metric="cosine").fit(X)
    model.fit(X.astype(np.float32))  # half the size
    clone(model).set_params(metric="precomputed").fit(cdist(X, X))  # is there already


def test_no_gpu_is_told(model):
    if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0"):
        pytest.skip("the simulator is a GPU")
    from tests.conftest import gpu_is_usable

    if gpu_is_usable():
        pytest.skip("there is a GPU")
    with pytest.raises(RuntimeError, match=r"lowrank-la\[gpu\]"):
        model.set_params(device="cuda").fit(X)
    assert not hasattr(model, "labels_")


# Without a matrix


def test_without_a_matrix(global_random_seed):
    Z = np.random.default_rng(global_random_seed).integers(0, 200, (700, 2)).astype(float)
    for metric in ("euclidean", "manhattan", "l1", "l2", "cityblock", "chebyshev", "sqeuclidean"):
        model = KMedoids(9, metric=metric, method="matrix_free", random_state=0)
        model.fit(Z)
        diss = pairwise_distances(Z, metric=metric)
        assert model.inertia_ == pytest.approx(naive.loss(diss, model.medoid_indices_))
        near = diss[:, model.medoid_indices_].min(axis=1)
        served = diss[np.arange(700), model.medoid_indices_[model.labels_]]
        np.testing.assert_allclose(served, near)
        for slot in range(9):
            others = diss[:, np.delete(model.medoid_indices_, slot)].min(axis=1)
            losses = np.minimum(others[:, None], diss).sum(axis=0)
            assert losses.min() >= model.inertia_ * (1 - 1e-9)


def test_auto_goes_without_a_matrix_where_one_would_not_fit(monkeypatch):
    Z = np.random.default_rng(0).random((3000, 2))
    monkeypatch.setattr(validation, "_physical_memory", lambda: 10**7)
    model = KMedoids(20, random_state=0).fit(Z)
    again = KMedoids(20, random_state=0, method="matrix_free").fit(Z)
    np.testing.assert_array_equal(model.labels_, again.labels_)
    np.testing.assert_array_equal(model.labels_, model.predict(Z))
    with pytest.raises(MemoryError):
        KMedoids(20, random_state=0, n_perturbations=3).fit(Z)


def test_it_is_told_where_boxes_do_not_help():
    Z = np.random.default_rng(0).normal(size=(2500, 20))
    with pytest.warns(UserWarning, match="CLARA and OneBatchKMedoids"):
        KMedoids(5, method="matrix_free", random_state=0).fit(Z)


@pytest.mark.parametrize("options", [
    {"metric": "cosine"}, {"metric": "precomputed"}, {"n_perturbations": 2},
    {"metric": lambda a, b: 0.0}, {"metric": "minkowski", "metric_params": {"p": 3}},
])  # fmt: skip
def test_what_needs_a_matrix(options):
    Z = cdist(X, X) + 1
    with pytest.raises(ValueError, match="method='matrix_free'"):
        KMedoids(3, method="matrix_free", **options).fit(Z)


@pytest.mark.parametrize("init", ["first", "build", "lab", "k-medoids++", np.array([5, 3, 80])])
def test_starts_without_a_matrix(init):
    model = KMedoids(3, method="matrix_free", init=init, random_state=0, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X)
        fixed = clone(model).set_params(fixed_medoids=[3]).fit(X)
    assert fixed.medoid_indices_[0] == 3
    assert len(set(model.medoid_indices_)) == 3


# By silhouettes


@pytest.mark.parametrize("method", ["fastermsc", "fastmsc", "pammedsil", "pamsil"])
def test_by_silhouette(method):
    diss = cdist(X, X)
    model = KMedoids(4, method=method, init="build").fit(X)
    solved = getattr(cluster, method)(diss, 4, init="build")
    assert model.silhouette_ == pytest.approx(solved.loss)
    np.testing.assert_array_equal(model.medoid_indices_, solved.medoids)
    assert model.inertia_ == pytest.approx(naive.loss(diss, model.medoid_indices_))
    computed = clone(model).set_params(metric="precomputed").fit(diss)
    assert computed.inertia_ == pytest.approx(model.inertia_)
    several = KMedoids(4, method=method, random_state=0, n_init=4).fit(X)
    one = KMedoids(4, method=method, random_state=0).fit(X)
    assert several.silhouette_ >= one.silhouette_
    assert several.set_params(method="auto").fit(X).silhouette_ is None


@pytest.mark.parametrize("name", ["n_perturbations", "fixed_medoids", "max_time"])
def test_silhouettes_have_fewer_options(name):
    with pytest.raises(ValueError, match=name):
        KMedoids(2, method="fastermsc", **{name: [1] if name == "fixed_medoids" else 1}).fit(X)


def test_dynmsc_chooses_the_number(global_random_seed):
    model = DynMSC(10, random_state=global_random_seed).fit(X)
    assert model.n_clusters_ == 4 == len(model.medoid_indices_)
    for label in range(4):
        assert len(np.unique(TRUTH[model.labels_ == label])) == 1
    np.testing.assert_array_equal(model.k_values_, np.arange(2, 11))
    assert model.k_values_[model.silhouettes_.argmax()] == 4
    diss = cdist(X, X)
    assert model.inertia_ == pytest.approx(naive.loss(diss, model.medoid_indices_))
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    assert model.transform(X).shape == (120, 4)


@pytest.mark.parametrize("metric", ["precomputed", "euclidean"])
def test_dynmsc_is_the_function(metric):
    diss = cdist(X, X)
    model = DynMSC(7, min_clusters=3, metric=metric, init="build")
    model.fit(diss if metric == "precomputed" else X)
    result = dynmsc(diss, 7, 3, init="build")
    np.testing.assert_array_equal(model.medoid_indices_, result.medoids)
    np.testing.assert_allclose(model.silhouettes_, result.losses)


def test_dynmsc_refuses():
    with pytest.raises(ValueError, match="min_clusters=8"):
        DynMSC(7, min_clusters=8).fit(X)
    with pytest.raises(ValueError, match="min_clusters=3"):
        DynMSC(3, min_clusters=3).fit(X[:2])
    with pytest.warns(UserWarning, match="max_clusters=7, but X has only 5"):
        assert DynMSC(7, init="first").fit(X[:5]).k_values_.tolist() == [2, 3, 4, 5]
    diss = cdist(X, X)
    diss[3, 7] = diss[7, 3] = -1
    with pytest.raises(ValueError, match=r"\bX\b"):
        DynMSC(7, metric="precomputed").fit(diss)


@pytest.mark.parametrize("fixed", [np.array([0]), np.array([0, 1]), [3]])
def test_silhouettes_have_no_fixed_medoids(fixed):
    with pytest.raises(ValueError, match="fixed_medoids"):
        KMedoids(3, method="fastermsc", fixed_medoids=fixed).fit(X)


def test_time_for_distances_is_not_counted():
    def slow(a, b):
        return abs(a - b).sum()

    Z = np.random.default_rng(0).normal(size=(300, 2))
    assert KMedoids(4, metric=slow, max_time=0.1, random_state=0).fit(Z).n_iter_ > 0


@pytest.mark.parametrize("cls", [KMedoids, cluster.CLARA, cluster.CLARANS, DynMSC,
                                 cluster.OneBatchKMedoids])  # fmt: skip
def test_sparse_rows_and_a_function(cls):
    Z = sparse.csr_array(np.round(abs(X[:40])))
    model = cls(3, metric=lambda a, b: abs(a - b).sum(), random_state=0).fit(Z)
    dense = cls(3, metric="cityblock", random_state=0).fit(Z.toarray())
    assert model.inertia_ == pytest.approx(dense.inertia_)


@pytest.mark.parametrize("method", ["fasterpam", "fastermsc", "pamsil", "fastpam1", "alternate"])
def test_one_warning_that_names_the_estimator(method):
    with pytest.warns(ConvergenceWarning) as caught:
        KMedoids(9, method=method, max_iter=1, n_init=3, random_state=0).fit(X)
    assert len(caught) == 1
    assert "KMedoids did not" in str(caught[0].message)


def test_columns_of_mixed_frames_are_told_apart():
    frame = pd.DataFrame({"age": [1.0, 2, 30, 31], "city": ["a", "a", "b", "b"]})
    model = KMedoids(2, metric=lambda a, b: abs(a[0] - b[0]) + (a[1] != b[1]), random_state=0)
    model.fit(frame)
    assert model.feature_names_in_.tolist() == ["age", "city"]
    np.testing.assert_array_equal(model.predict(frame), model.labels_)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["city", "age"]])
    model.fit([(1.0, "a"), (2.0, "a"), (30.0, "b")])
    assert not hasattr(model, "feature_names_in_")
