"""CUR and ColumnSubsetSelector, as scikit-learn's users meet them."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lowrank_la.decomposition import CUR, ColumnSubsetSelector, _core, cur, select_columns
from tests.decomposition.problems import CORES, HARD, SELECTIONS, A, geometric
from tests.reference import cur as reference

same = np.testing.assert_array_equal
close = np.testing.assert_allclose
norm = np.linalg.norm
NAMES = [f"feature {j}" for j in range(20)]
FRAME = pd.DataFrame(A, columns=NAMES)
SPARSE = A * (np.abs(A) > 0.8)
every_selection = pytest.mark.parametrize("selection", SELECTIONS)
every_core = pytest.mark.parametrize("core", CORES)


# CUR


@every_core
@every_selection
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_matrix])
def test_attributes_are_those_of_the_function(selection, core, form):
    data = form(SPARSE)
    model = CUR(5, selection=selection, core=core, random_state=0).fit(data)
    found = cur(data, 5, selection=selection, core=core, rng=0)
    same(model.row_indices_, found.row_indices)
    same(model.column_indices_, found.column_indices)
    assert (model.components_ != found.rows).sum() == 0
    assert sparse.issparse(model.components_) == sparse.issparse(data)
    assert model.n_components_ == len(found.column_indices)
    assert (model.n_iter_, model.converged_, len(model.history_)) == (1, True, 0)
    assert model.reconstruction_error_ == found.error
    assert model.error_estimate_ == found.error_estimate
    x = np.ones(model.core_.shape[1])
    same(model.core_ @ x, found.core @ x)


@every_core
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_there_and_back(core, form):
    data = form(SPARSE)
    model = CUR(6, core=core, random_state=0)
    columns = model.fit_transform(data)
    assert sparse.issparse(columns) == sparse.issparse(data)
    assert (columns != data[:, model.column_indices_]).sum() == 0
    back = model.inverse_transform(columns)
    assert type(back) is np.ndarray
    close(norm(SPARSE - back), model.reconstruction_error_, rtol=1e-6)
    dense = columns.toarray() if sparse.issparse(columns) else columns
    close(model.inverse_transform(dense), back, atol=1e-12)
    close(back, getattr(reference, core)(SPARSE, model.row_indices_, model.column_indices_),
          atol=1e-10)  # fmt: skip


def test_rows_that_it_has_not_seen():
    """What depends on some features goes on to do so."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(4, 20))
    model = CUR(4, random_state=0).fit(rng.normal(size=(100, 4)) @ mixing)
    new = rng.normal(size=(7, 4)) @ mixing
    assert model.transform(new).shape == (7, 4)
    close(model.inverse_transform(model.transform(new)), new, atol=1e-10)


def test_all_that_are_independent():
    data = HARD["low rank"][0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = CUR(random_state=0).fit(data)
    assert model.n_components_ == 4
    assert model.reconstruction_error_ < 1e-12 * norm(data)


def test_too_many():
    data = HARD["low rank"][0]
    with pytest.warns(UserWarning, match="n_components=9: only 4 .* a smaller n_components"):
        model = CUR(9, random_state=0).fit(data)
    assert model.n_components_ == model.transform(data).shape[1] == 4
    assert model.inverse_transform(model.transform(data)).shape == data.shape


@every_core
def test_tolerances(core):
    data = geometric(200, 150, 0.8)
    model = CUR(tol=1e-3, core=core, random_state=0).fit(data)
    assert model.converged_ and model.reconstruction_error_ <= 1e-3 * norm(data)
    assert len(model.history_) == model.n_iter_ >= 1
    with pytest.warns(ConvergenceWarning, match="increase tol, or n_components"):
        model = CUR(12, tol=1e-3, core=core, random_state=0).fit(data)
    assert not model.converged_ and model.n_components_ == 12
    with pytest.warns(ConvergenceWarning, match="increase tol$"):
        CUR(tol=1e-17, core=core, random_state=0).fit(A)


@every_selection
def test_nothing_there(selection):
    with pytest.warns(UserWarning, match="n_components=3: only 0"):
        model = CUR(3, selection=selection, random_state=0).fit(np.zeros((6, 5)))
    assert model.n_components_ == 0 and model.components_.shape == (0, 5)
    assert model.reconstruction_error_ == model.error_estimate_ == 0
    columns = model.transform(np.zeros((4, 5)))
    assert columns.shape == (4, 0)
    same(model.inverse_transform(columns), np.zeros((4, 5)))
    assert len(model.get_feature_names_out()) == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision(dtype):
    data = A.astype(dtype)
    model = CUR(5, random_state=0).fit(data)
    assert model.components_.dtype == model.transform(data).dtype == dtype
    assert model.inverse_transform(model.transform(data)).dtype == dtype


def test_names():
    model = CUR(5, random_state=0).fit(FRAME)
    expected = np.array(NAMES)[model.column_indices_]
    same(model.get_feature_names_out(), expected)
    same(model.feature_names_in_, NAMES)
    same(CUR(5, random_state=0).fit(A).get_feature_names_out(NAMES), expected)
    assert CUR(5, random_state=0).fit(A).get_feature_names_out()[0].startswith("x")
    with pytest.raises(ValueError, match="input_features"):
        model.get_feature_names_out(["other"] * 20)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_columns(library):
    pytest.importorskip(library)
    model = CUR(5, random_state=0).set_output(transform=library)
    frame = model.fit_transform(FRAME)
    assert type(frame).__module__.startswith(library)
    assert list(frame.columns) == [NAMES[j] for j in model.column_indices_]
    same(frame.to_numpy(), A[:, model.column_indices_])


def test_a_pipeline():
    digits = load_digits()
    model = make_pipeline(CUR(20, random_state=0), LogisticRegression(max_iter=2000))
    assert model.fit(digits.data, digits.target).score(digits.data, digits.target) > 0.9


def test_a_search_for_the_number_of_components():
    X, y = load_breast_cancer(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), CUR(random_state=0), LogisticRegression())
    search = GridSearchCV(pipeline, {"cur__n_components": [1, 4, 12]}, cv=3).fit(X, y)
    assert search.best_params_["cur__n_components"] > 1
    assert search.best_score_ > 0.93


def test_nothing_is_computed_before_it_is_asked_for(monkeypatch):
    asked, optimal = [], _core.CORES["optimal"]
    monkeypatch.setitem(_core.CORES, "optimal", lambda *a: asked.append(a) or optimal(*a))
    model = CUR(5, random_state=0).fit(A)
    model.transform(A)
    assert repr(model) and clone(model) and len(model.get_feature_names_out()) == 5
    assert not asked
    model.inverse_transform(model.transform(A))
    assert model.core_.shape == (5, 5) and model.reconstruction_error_ > 0
    assert len(asked) == 1


@every_core
def test_pickled_without_the_data(core):
    data = np.random.default_rng(0).normal(size=(800, 300))
    model = CUR(3, core=core, random_state=0).fit(data)
    pickled = pickle.dumps(model)
    assert len(pickled) < data.nbytes / 10
    copy = pickle.loads(pickled)
    assert copy.reconstruction_error_ == model.reconstruction_error_
    assert copy.error_estimate_ == model.error_estimate_
    same(copy.transform(data), model.transform(data))
    same(copy.inverse_transform(data[:, :3]), model.inverse_transform(data[:, :3]))
    same(copy.core_ @ np.eye(3), model.core_ @ np.eye(3))
    assert copy.fit(data).reconstruction_error_ == model.reconstruction_error_


def test_a_refit_forgets():
    model = CUR(5, random_state=0).fit(FRAME)
    before = model.reconstruction_error_
    model.set_params(n_components=7).fit(10 * A)
    assert model.reconstruction_error_ < 10 * before
    assert model.n_components_ == 7 and not hasattr(model, "feature_names_in_")
    assert not hasattr(clone(model), "components_")


def test_the_data_stay_as_they_are():
    for form in (A.copy(), sparse.csr_array(SPARSE), FRAME.copy()):
        kept = pickle.dumps(form)
        model = CUR(5, random_state=0).fit(form)
        model.inverse_transform(model.transform(form))
        assert model.reconstruction_error_ > 0 and model.error_estimate_ > 0
        assert pickle.dumps(form) == kept


def test_random_state():
    first, other = (CUR(5, selection="uniform", random_state=s).fit(A) for s in (0, 1))
    assert set(first.column_indices_) != set(other.column_indices_)
    generator = np.random.RandomState(0)
    models = [CUR(5, selection="uniform", random_state=generator).fit(A) for _ in range(2)]
    assert set(models[0].column_indices_) != set(models[1].column_indices_)


# ColumnSubsetSelector


@every_selection
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_matrix])
def test_selected_columns(selection, form):
    data = form(SPARSE)
    model = ColumnSubsetSelector(5, selection=selection, random_state=0).fit(data)
    same(model.column_indices_, select_columns(data, 5, selection=selection, rng=0))
    same(model.get_support(indices=True), np.sort(model.column_indices_))
    assert model.get_support().dtype == bool and model.get_support().sum() == 5
    selected = model.transform(data)
    assert sparse.issparse(selected) == sparse.issparse(data)
    assert (selected != data[:, model.get_support(indices=True)]).sum() == 0
    back = model.inverse_transform(selected)
    back = back.toarray() if sparse.issparse(back) else back
    same(back, SPARSE * model.get_support())


def test_half_of_the_features():
    assert ColumnSubsetSelector(random_state=0).fit_transform(A).shape == (30, 10)
    assert ColumnSubsetSelector(random_state=0).fit_transform(A[:, :1]).shape == (30, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # none is asked for, so that fewer are no surprise
        fewer = ColumnSubsetSelector(random_state=0).fit_transform(HARD["low rank"][0])
    assert fewer.shape == (30, 4)


def test_what_is_redundant_goes_first():
    rng = np.random.default_rng(0)
    own = rng.normal(size=(100, 6))
    data = np.c_[own, np.zeros(100), own[:, :2], own.sum(axis=1), np.zeros(100)]
    with pytest.warns(UserWarning, match="n_features_to_select=9: only 6"):
        model = ColumnSubsetSelector(9, random_state=0).fit(data)
    assert np.linalg.matrix_rank(model.transform(data)) == 6 == model.get_support().sum()
    assert not model.get_support()[[6, 10]].any()


def test_tolerances_of_selectors():
    data = geometric(200, 150, 0.8)
    model = ColumnSubsetSelector(tol=1e-2, random_state=0).fit(data)
    left = norm(data - reference.interpolation(data, model.column_indices_))
    assert left <= 1e-2 * norm(data)
    assert model.get_support().sum() < 35
    with pytest.warns(ConvergenceWarning, match="increase tol, or n_features_to_select"):
        assert ColumnSubsetSelector(9, tol=1e-2, random_state=0).fit(data).get_support().sum() == 9


def test_nothing_to_select():
    with pytest.warns(UserWarning, match="n_features_to_select=2: only 0"):
        model = ColumnSubsetSelector(2, random_state=0).fit(np.zeros((6, 5)))
    assert not model.get_support().any()
    with pytest.warns(UserWarning, match="No features were selected"):
        assert model.transform(np.ones((4, 5))).shape == (4, 0)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_selected_columns(library):
    pytest.importorskip(library)
    model = ColumnSubsetSelector(5, random_state=0).set_output(transform=library)
    frame = model.fit_transform(FRAME)
    assert type(frame).__module__.startswith(library)
    kept = model.get_support(indices=True)
    assert list(frame.columns) == [NAMES[j] for j in kept]
    same(model.get_feature_names_out(), [NAMES[j] for j in kept])
    same(frame.to_numpy(), A[:, kept])


def test_frames_of_other_libraries():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({name: A[:, j] for j, name in enumerate(NAMES)})
    for cls in (CUR, ColumnSubsetSelector):
        model = cls(5, random_state=0).fit(frame)
        same(model.feature_names_in_, NAMES)
        same(model.transform(frame), cls(5, random_state=0).fit(A).transform(A))


def test_selection_before_clusters():
    """Pixels of digits: half of them tell as much as all."""
    digits = load_digits().data
    pipeline = make_pipeline(ColumnSubsetSelector(32, random_state=0), KMeans(10, random_state=0))
    labels = pipeline.fit_predict(digits)
    assert len(set(labels)) == 10


def test_pickled_without_the_columns():
    data = np.random.default_rng(0).normal(size=(20_000, 4))
    model = CUR(2, random_state=0).fit(data)
    copy = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(model))))
    assert len(pickle.dumps(model)) < 10_000
    close(copy.reconstruction_error_, model.reconstruction_error_, rtol=1e-12)
    some = model.transform(data)[:5]
    same(copy.inverse_transform(some), model.inverse_transform(some))


def test_selectors_are_pickled_without_the_data():
    data = np.random.default_rng(0).normal(size=(800, 300))
    model = ColumnSubsetSelector(3, random_state=0).fit(data)
    assert len(pickle.dumps(model)) < 3000
    same(pickle.loads(pickle.dumps(model)).transform(data), model.transform(data))


def test_features_of_atoms(data_dir):
    """As few features as principal components and a third more, at a tolerance."""
    X = np.load(data_dir / "sketching" / "csd-1000r.npz")["X"]
    model = ColumnSubsetSelector(tol=1e-2, random_state=0).fit(X)
    best = sum(reference.tail(X, k) > 1e-2 * norm(X) for k in range(100))
    assert best <= model.get_support().sum() <= 2 * best
    left = norm(X - reference.interpolation(X, model.column_indices_))
    assert left <= 1e-2 * norm(X)


# States


@pytest.mark.parametrize("cls", [CUR, ColumnSubsetSelector])
def test_a_failed_fit_leaves_the_last(cls):
    """Also the number and names of features, which are looked at first."""
    model = cls(5, random_state=0).fit(FRAME)
    before = pickle.dumps(model)
    bad = A[:, :7].copy()
    bad[3, 2] = np.inf
    for data in (bad, sparse.csr_array(bad), pd.DataFrame(bad, columns=list("abcdefg"))):
        with pytest.raises(ValueError, match="NaN or infinite|NaN, infinite|infinity"):
            model.fit(data)
        assert pickle.dumps(model) == before
    unfitted = cls(5, random_state=0)
    with pytest.raises(ValueError):
        unfitted.fit(bad)
    assert vars(unfitted) == vars(cls(5, random_state=0))


@every_core
@pytest.mark.parametrize("form", [np.array, sparse.csr_array])
def test_data_that_have_changed(core, form):
    """The core is of the data of `fit`, or it is refused; a copy that is pickled has it."""
    data = form(A)
    model, other = (CUR(5, core=core, random_state=0).fit(data) for _ in range(2))
    copy, expected = pickle.loads(pickle.dumps(other)), other.reconstruction_error_
    data *= 2.0
    with pytest.raises(ValueError, match="X was changed after rows and columns were chosen"):
        model.reconstruction_error_  # noqa: B018
    with pytest.raises(ValueError, match="X was changed"):
        model.inverse_transform(np.ones((2, 5)))
    assert model.transform(A).shape == (30, 5)
    assert copy.reconstruction_error_ == other.reconstruction_error_ == expected
    close(model.fit(data).reconstruction_error_, 2 * expected, rtol=1e-9)


@pytest.mark.parametrize("selection", ["lupp", "cpqr"])
def test_no_more_features_than_a_tolerance_takes(selection):
    """By what features alone leave, rather than features and samples."""
    data = geometric(150, 120, 0.9)
    for seed in range(5):
        model = ColumnSubsetSelector(tol=0.05, selection=selection, random_state=seed).fit(data)
        columns = model.column_indices_
        left, fewer = (
            norm(data - reference.interpolation(data, part)) for part in (columns, columns[:-3])
        )
        assert left <= 0.05 * norm(data) < fewer
