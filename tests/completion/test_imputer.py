"""The imputer: what it leaves alone, what it fills in, and how it sits where others sat."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lowrank_la.completion import LowRankImputer
from tests.completion.problems import low_rank
from tests.layouts import dense_forms
from tests.strategies import dtypes, integers

M, N = 80, 30
TRUTH = 3 + low_rank(M, N, 3)
MISSING = np.random.default_rng(0).random((M, N)) < 0.4
NOISY = TRUTH + 0.05 * np.random.default_rng(1).standard_normal((M, N))
X = np.where(MISSING, np.nan, NOISY)


def imputer(**options):
    return LowRankImputer(**{"rank": 3, "alpha": 0.1, "random_state": 0} | options)


def stored(array, kind=sparse.csr_array):
    """Sparse matrix that stores what is not NaN."""
    places = np.nonzero(~np.isnan(array))
    return kind(sparse.coo_array((array[places], places), shape=array.shape))


def error(found):
    return np.sqrt(np.mean((found - TRUTH)[MISSING] ** 2))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"alpha": 0, "solver": "gauss_newton", "max_iter": 300},
        {"loss": "huber"},
        {"loss": "l1", "alpha": 0.02},
        {"nonnegative": True},
        {"fit_bias": False, "rank": 4, "alpha": 0.02},
        {"rank": 20},
        {"rank": "auto"},
        {"early_stopping": True},
        {"ridge_exponent": 0.0, "alpha": 0.5},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_gaps_are_filled_and_nothing_else_is_touched(options):
    kept = X.copy()
    estimator = imputer(**options)
    found = estimator.fit_transform(X)
    np.testing.assert_array_equal(X, kept)
    assert found[~MISSING].tobytes() == X[~MISSING].tobytes()
    assert error(found) < (0.9 if options.get("nonnegative") else 0.2)
    np.testing.assert_array_equal(imputer(**options).fit(X).transform(X), found)


def test_exact_matrices_are_recovered():
    found = imputer(alpha=0).fit_transform(np.where(MISSING, np.nan, TRUTH))
    np.testing.assert_allclose(found, TRUTH, atol=1e-8)


@pytest.mark.parametrize("loss", ["huber", "l1"])
def test_gross_errors_are_ignored_in_new_rows_too(loss):
    wrong = np.random.default_rng(2).random((M, N)) < 0.05
    data = np.where(wrong, X + 30, X)
    fitted = imputer(loss=loss, alpha=0.02).fit(data)
    assert error(fitted.transform(data)) < 0.3 < 1 < error(imputer().fit_transform(data))
    few = imputer(loss=loss, alpha=0.02).fit(np.where(MISSING, np.nan, NOISY)).transform(data[:20])
    assert np.sqrt(np.mean((few - TRUTH[:20])[MISSING[:20]] ** 2)) < 0.3


def test_new_rows_depend_on_themselves_alone():
    for options in ({}, {"loss": "l1"}, {"nonnegative": True}):
        fitted = imputer(**options).fit(X[:60])
        whole = fitted.transform(X)
        for rows in ([70], [75, 3, 61], range(50, 80)):
            np.testing.assert_allclose(fitted.transform(X[rows]), whole[rows], rtol=1e-12)


@st.composite
def gaps(draw):
    """Small matrix of integers, observed where a mask says so; at least one entry."""
    m, n = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    mask = draw(integers((m, n), 0, 1)).astype(bool)
    mask[draw(st.integers(0, m - 1)), draw(st.integers(0, n - 1))] = True
    return np.where(mask, draw(integers((m, n), -4, 4)).astype(float), np.nan)


def regularised(fitted, row):
    """Ridge regression of a row on the columns, in the units that the fit divides by."""
    seen = ~np.isnan(row)
    scale, n = fitted._result._scale, seen.sum()
    design = np.column_stack([fitted.column_factors_ / scale**0.5, np.ones(len(row))])
    target = (row - fitted.mean_ - fitted.column_bias_)[seen] / scale
    ridge = fitted.alpha * n**fitted.ridge_exponent * np.eye(design.shape[1])
    solution = np.linalg.lstsq(design[seen].T @ design[seen] + ridge, design[seen].T @ target)[0]
    return fitted.mean_ + fitted.column_bias_ + scale * design @ solution


@pytest.mark.filterwarnings("ignore")
@given(gaps(), st.sampled_from([0.1, 1.0]), st.sampled_from([0.0, 0.5, 1.0]))
def test_rows_are_fitted_by_least_squares(data, alpha, exponent):
    fitted = imputer(alpha=alpha, ridge_exponent=exponent, keep_empty_features=False).fit(data)
    kept = ~np.isnan(data).all(axis=0)
    found = fitted.transform(data)
    assert found.shape == data[:, kept].shape
    for row, filled in zip(data[:, kept], found, strict=True):
        expected = np.where(np.isnan(row), regularised(fitted, row), row)
        np.testing.assert_allclose(filled, expected, atol=1e-8)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@given(gaps(), dtypes, st.booleans())
def test_sparse_and_dense_are_alike(data, dtype, zeros):
    data = (data * (not zeros) if zeros else data).astype(dtype)
    estimator = imputer(keep_empty_features=True)
    dense, packed = estimator.fit_transform(data), estimator.fit_transform(stored(data))
    assert dense.dtype == packed.dtype == dtype
    assert isinstance(packed, np.ndarray)
    assert np.isfinite(dense).all()
    np.testing.assert_array_equal(packed, dense)


def test_a_row_with_nothing_observed_gets_the_columns():
    fitted = imputer().fit(X)
    found = fitted.transform(np.full((1, N), np.nan))[0]
    np.testing.assert_allclose(found, fitted.mean_ + fitted.column_bias_, rtol=1e-12)


def test_forms_of_the_data_do_not_matter(tmp_path):
    expected = imputer().fit_transform(X)
    for name, form in dense_forms(X, tmp_path).items():
        np.testing.assert_array_equal(imputer().fit_transform(form), expected, err_msg=name)
    frame = pd.DataFrame(X, columns=[f"c{j}" for j in range(N)]).astype({"c3": "Float64"})
    np.testing.assert_array_equal(imputer().fit_transform(frame), expected)
    for kind in (sparse.csr_matrix, sparse.csc_array, sparse.coo_array, sparse.lil_array):
        np.testing.assert_array_equal(imputer().fit_transform(stored(X, kind)), expected)


@pytest.mark.parametrize("missing", [-1, 0, 7.5])
def test_anything_may_stand_for_a_missing_value(missing):
    estimator = imputer(missing_values=missing)
    data = np.where(MISSING, missing, NOISY)
    np.testing.assert_array_equal(estimator.fit_transform(data), imputer().fit_transform(X))
    packed = sparse.csr_array(data.astype(np.float64))  # stores no zeros
    np.testing.assert_array_equal(estimator.fit_transform(packed), imputer().fit_transform(X))
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(X)
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(stored(NOISY) * np.nan)


def test_whole_numbers_have_gaps_too():
    data = np.where(MISSING, -9, np.round(10 * TRUTH)).astype(np.int32)
    found = imputer(missing_values=-9).fit_transform(data)
    np.testing.assert_array_equal(found[~MISSING], data[~MISSING])
    assert np.abs(found - 10 * TRUTH)[MISSING].mean() < 1


def test_stored_nan_is_missing():
    packed = stored(X)
    packed.data[::5] = np.nan
    np.testing.assert_array_equal(
        imputer().fit_transform(packed), imputer().fit_transform(stored(dense_of(packed)))
    )


def dense_of(A):
    """Dense matrix, NaN where nothing is stored."""
    out, A = np.full(A.shape, np.nan), A.tocoo()
    out[A.row, A.col] = A.data
    return out


def test_the_precision_stays():
    single = imputer().fit_transform(X.astype(np.float32))
    assert single.dtype == np.float32
    assert imputer().fit(X.astype(np.float32)).column_factors_.dtype == np.float32
    np.testing.assert_allclose(single, imputer().fit_transform(X), atol=1e-3)


# Columns without entries, indicators, names

EMPTY = np.column_stack([np.full(M, np.nan), X[:, :10], np.full(M, np.nan), X[:, 10:]])


def test_empty_columns_are_dropped():
    with pytest.warns(UserWarning, match="x0, x11"):
        fitted = imputer().fit(EMPTY)
    np.testing.assert_array_equal(fitted.transform(EMPTY), imputer().fit_transform(X))
    assert fitted.get_feature_names_out().tolist() == [
        f"x{j}" for j in range(N + 2) if j not in (0, 11)
    ]
    later = EMPTY.copy()
    later[:, 0] = 100.0  # what came too late does not move anything
    np.testing.assert_array_equal(fitted.transform(later), fitted.transform(EMPTY))


def test_empty_columns_may_be_kept():
    fitted = imputer(keep_empty_features=True).fit(EMPTY)
    found = fitted.transform(EMPTY)
    np.testing.assert_array_equal(np.delete(found, [0, 11], axis=1), imputer().fit_transform(X))
    assert not found[:, [0, 11]].any()
    later = EMPTY.copy()
    later[3, 0] = 100.0
    expected = SimpleImputer(keep_empty_features=True).fit(EMPTY).transform(later)
    np.testing.assert_array_equal(fitted.transform(later)[:, [0, 11]], expected[:, [0, 11]])
    assert len(fitted.get_feature_names_out()) == N + 2


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("kind", [np.asarray, stored])
@pytest.mark.filterwarnings("ignore:.*without any? observed:UserWarning")
def test_indicators_are_scikit_learns(keep, kind):
    data = EMPTY.copy()
    data[:, 5] = 1.0  # nothing is missing here
    options = {"add_indicator": True, "keep_empty_features": keep}
    ours = imputer(**options).fit(kind(data))
    theirs = SimpleImputer(**options).fit(data)
    found, expected = ours.transform(kind(data)), theirs.transform(data)
    assert found.shape == expected.shape
    n = len(ours.get_feature_names_out()) - len(ours.indicator_.features_)
    np.testing.assert_array_equal(found[:, n:], expected[:, n:])
    assert ours.get_feature_names_out().tolist() == theirs.get_feature_names_out().tolist()


def test_data_frames_come_out():
    frame = pd.DataFrame(X, columns=[f"c{j}" for j in range(N)], index=np.arange(M) + 5)
    estimator = imputer(add_indicator=True).set_output(transform="pandas")
    found = estimator.fit_transform(frame)
    assert found.columns.tolist() == estimator.get_feature_names_out().tolist()
    assert found.columns[:3].tolist() == ["c0", "c1", "c2"]
    assert found.columns[-1] == f"missingindicator_c{N - 1}"
    assert found.index.tolist() == frame.index.tolist()
    np.testing.assert_array_equal(found.to_numpy()[:, :N], imputer().fit_transform(X))


# Refusals

REFUSED = {
    "infinite": (np.where(MISSING, np.inf, X), {}, "infinity"),
    "all missing": (np.full((3, 2), np.nan), {}, "X has no observed entry"),
    "nothing stored": (sparse.csr_array((3, 2)), {}, "X has no observed entry"),
    "words": (np.full((3, 2), "a"), {}, "float"),
    "gibbs": (X, {"solver": "gibbs"}, "MatrixCompletionRegressor"),
    "no number": (X, {"missing_values": "a"}, "missing_values"),
    "too large": (X * 1e300, {}, "X has numbers"),
    "no rank": (X, {"rank": 0}, "rank"),
    "unknown rank": (X, {"rank": "best"}, "rank"),
    "no bytes": (X, {"max_bytes": 0}, "max_bytes"),
    "nonnegative": (X, {"nonnegative": True, "solver": "gauss_newton"}, "nonnegative"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_refused(case):
    data, options, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        imputer(**options).fit(data)


def test_entries_in_one_place_are_refused():
    coo = stored(X, sparse.coo_array)
    twice = sparse.coo_array(
        (np.tile(coo.data, 2), tuple(np.tile(index, 2) for index in coo.coords)), shape=coo.shape
    )
    unsummed = sparse.csr_array((np.ones(2), [0, 0], [0, 2, 2]), shape=(2, 2))
    fitted = imputer().fit(X)
    for data in (twice, unsummed, sparse.csc_array((np.ones(2), [0, 0], [0, 2]), shape=(2, 1))):
        kept = data.copy()
        with pytest.raises(ValueError, match="X has several entries in one place"):
            imputer().fit(data)
        np.testing.assert_array_equal(data.data, kept.data)
    with pytest.raises(ValueError, match="X has several entries in one place"):
        fitted.transform(twice)


def test_unsorted_entries_are_in_different_places():
    data = sparse.csr_array((np.arange(4.0), [1, 0, 1, 0], [0, 2, 4]), shape=(2, 2))
    kept = data.indices.copy()
    assert imputer(rank=1).fit_transform(data).tolist() == [[1, 0], [3, 2]]
    np.testing.assert_array_equal(data.indices, kept)


def test_large_results_are_refused_before_any_work():
    wide = sparse.coo_array(([1.0, 2.0], ([0, 5], [3, 7])), shape=(10**6, 10**6))
    estimator = LowRankImputer()
    with pytest.raises(ValueError, match="complete .* MatrixCompletionRegressor"):
        estimator.fit_transform(wide)
    assert not hasattr(estimator, "n_features_in_")
    fitted = imputer(max_bytes=8 * M * N).fit(stored(X))
    assert fitted.transform(stored(X)).shape == (M, N)
    fitted.set_params(max_bytes=8 * M * N - 1)
    with pytest.raises(ValueError, match=f"{8 * M * N} bytes, more than max_bytes"):
        fitted.transform(stored(X))
    assert fitted.transform(stored(X.astype(np.float32))).shape == (M, N)  # takes half as much
    assert fitted.transform(X).shape == (M, N)  # is dense already


def test_failures_change_nothing():
    fitted = imputer().fit(X)
    before = pickle.dumps(fitted)
    for call, data in (
        (fitted.fit, np.where(X > 6, np.inf, X)),
        (fitted.transform, X[:, 1:]),
        (fitted.fit_transform, np.full((3, 3), np.nan)),
    ):
        with pytest.raises(ValueError):
            call(data)
        assert pickle.dumps(fitted) == before


def test_too_few_sweeps_are_told():
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        assert not imputer(max_iter=1, tol=0).fit(X).converged_


def test_a_callback_stops(Recorder):
    recorder = Recorder(stop=True)
    assert imputer().set_callbacks(recorder).fit(X).n_iter_ == 1
    assert recorder.calls == ["setup", "begin", "begin", "end", "end", "teardown"]


# Where others sat


def test_a_pickle_has_no_rows():
    fitted = imputer().fit(X)
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.transform(X), fitted.transform(X))
    longer = imputer().fit(np.tile(X, (50, 1)))
    assert len(pickle.dumps(longer)) < 2 * len(pickle.dumps(fitted))


def test_it_fits_into_a_column_transformer():
    frame = pd.DataFrame(X[:, :6], columns=list("abcdef")).assign(name="x")
    transformer = ColumnTransformer(
        [("few", imputer(rank=2), ["a", "b", "c", "d"]), ("rest", SimpleImputer(), ["e", "f"])]
    )
    found = transformer.fit_transform(frame)
    assert found.shape == (M, 6)
    assert np.isfinite(found).all()
    assert transformer.get_feature_names_out()[0] == "few__a"


def test_scaling_comes_first():
    """Columns of very different units count alike after a scaler, which passes NaN on."""
    units = 10.0 ** np.arange(-5, 5).repeat(3)
    data = X * units
    scaler = StandardScaler()
    found = imputer().fit_transform(scaler.fit_transform(data))
    found = scaler.inverse_transform(found) / units
    assert error(found) < 0.2 < error(imputer().fit_transform(data) / units)


def test_a_classifier_does_better_than_with_means():
    data, target = load_breast_cancer(return_X_y=True)
    data[np.random.default_rng(0).random(data.shape) < 0.5] = np.nan
    accuracies = [
        cross_val_score(
            make_pipeline(StandardScaler(), step, LogisticRegression(C=0.1)), data, target, cv=5
        ).mean()
        for step in (LowRankImputer(random_state=0), SimpleImputer())
    ]
    assert accuracies[0] > accuracies[1] + 0.005, accuracies


def test_ratings_of_films(data_dir):
    data = np.load(data_dir / "completion" / "ml100k_u1.npz")
    shape = (943, 1682)
    train = sparse.coo_array(
        (data["tr_rating"].astype(np.float32), (data["tr_user"], data["tr_item"])), shape=shape
    )
    with pytest.warns(UserWarning, match="without an observed value"):
        fitted = LowRankImputer(random_state=0).fit(train)
    with pytest.warns(UserWarning, match="without an observed value"):
        found = LowRankImputer(random_state=0, keep_empty_features=False).fit_transform(train)
    assert found.shape == (943, fitted.get_feature_names_out().size)
    columns = np.cumsum(fitted._kept) - 1
    known = fitted._kept[data["te_item"]]
    predicted = found[data["te_user"], columns[data["te_item"]]][known]
    assert np.sqrt(np.mean((predicted - data["te_rating"][known]) ** 2)) < 0.925


def test_blocks_that_store_zeros_are_refused():
    X = sparse.random_array((8, 6), density=0.5, rng=0, format="csr")
    with pytest.raises(ValueError, match="bsr, which stores zeros"):
        LowRankImputer(2).fit(sparse.bsr_array(X, blocksize=(2, 2)))


def test_a_dense_indicator_keeps_to_the_budget():
    X = sparse.random_array((200, 100), density=0.1, rng=0, format="csr")
    LowRankImputer(2, max_bytes=1000, random_state=0).fit(X)
    with pytest.raises(ValueError, match="max_bytes=1000"):
        LowRankImputer(2, max_bytes=1000, add_indicator=True).fit(X)
