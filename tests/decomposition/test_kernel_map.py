"""Features of a kernel from pivots: Nyström's approximation, and the ways of scikit-learn."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from lowrank_la.decomposition import RPCholeskyKernelMap, rp_cholesky

close = np.testing.assert_allclose
RNG = np.random.default_rng(0)
X, NEW = np.abs(RNG.normal(size=(600, 3))), np.abs(RNG.normal(size=(90, 3)))
KERNELS = {
    "rbf": {"gamma": 0.2},
    "laplacian": {},
    "polynomial": {"degree": 2, "coef0": 1.5},
    "chi2": {"gamma": 0.3},
    "cosine": {},
}


FORMS = [(kernel, np.asarray) for kernel in KERNELS]
FORMS += [(kernel, sparse.csr_array) for kernel in KERNELS if kernel != "chi2"]  # is of dense ones


@pytest.mark.parametrize(("kernel", "form"), FORMS)
def test_it_is_the_approximation_of_nystroem(kernel, form):
    options = KERNELS[kernel]
    n_components = {"polynomial": 9, "cosine": 3}.get(kernel, 12)  # not more than the rank
    model = RPCholeskyKernelMap(n_components, kernel=kernel, random_state=0, **options)
    features = model.fit_transform(form(X))
    chosen = X[model.component_indices_]
    components = model.components_
    close(components.toarray() if sparse.issparse(components) else components, chosen)
    inverse = np.linalg.inv(pairwise_kernels(chosen, metric=kernel, **options))
    for points, found in ((X, features), (X, model.transform(form(X))),
                          (NEW, model.transform(form(NEW)))):  # fmt: skip
        K = pairwise_kernels(points, chosen, metric=kernel, **options)
        close(found @ found.T, K @ inverse @ K.T, atol=1e-7, rtol=1e-7)
    explained = (features**2).sum()
    total = sum(pairwise_kernels(x[None], metric=kernel, **options)[0, 0] for x in X)
    close(model.trace_error_, 1 - explained / total, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_triangular_systems(dtype):
    model = RPCholeskyKernelMap(70, random_state=0).fit(X.astype(dtype))
    lower = model.cholesky_
    assert lower.dtype == dtype
    close(lower, np.tril(lower))
    eps = np.finfo(dtype).eps
    K = pairwise_kernels(model.components_.astype(float), metric="rbf")
    close(lower @ lower.T, K, atol=30 * eps)
    features = model.transform(NEW.astype(dtype))
    assert features.dtype == dtype
    K = pairwise_kernels(model.components_.astype(float), NEW, metric="rbf")
    close(lower @ features.T, K, atol=100 * eps)


def test_pivots_are_those_of_the_function():
    model = RPCholeskyKernelMap(40, gamma=0.3, random_state=7)
    features = model.fit_transform(X)
    expected = rp_cholesky(X, 40, kernel="rbf", gamma=0.3, rng=7)
    np.testing.assert_array_equal(features, expected.factor)
    np.testing.assert_array_equal(model.component_indices_, expected.pivots)
    assert model.trace_error_ == expected.trace_error


def test_other_precision_than_that_of_fit():
    model = RPCholeskyKernelMap(20, random_state=0).fit(X)
    single = model.transform(NEW.astype(np.float32))
    assert single.dtype == np.float32
    close(single, model.transform(NEW), atol=1e-4)


def test_precomputed():
    K = pairwise_kernels(X, metric="rbf")
    expected = RPCholeskyKernelMap(30, random_state=0)
    features = expected.fit_transform(X)
    for order in "CF":
        model = RPCholeskyKernelMap(30, kernel="precomputed", random_state=0)
        close(model.fit_transform(np.asarray(K, order=order)), features, atol=1e-10)
        assert model.components_ is None
        new = pairwise_kernels(NEW, X, metric="rbf")
        close(model.transform(new), expected.transform(NEW), atol=1e-10)
    with pytest.raises(ValueError, match=r"X has shape \(600, 30\): a square matrix"):
        model.fit(K[:, :30])
    with pytest.raises(ValueError, match="30 features"):
        model.transform(K[:, :30])


def test_functions():
    expected = RPCholeskyKernelMap(20, gamma=0.5, random_state=0)
    features = expected.fit_transform(X[:150])
    for kernel in (RBF(), lambda x, y: np.exp(-((x - y) ** 2).sum() / 2)):
        model = RPCholeskyKernelMap(20, kernel=kernel, random_state=0)
        close(model.fit_transform(X[:150]), features, atol=1e-10)
        close(model.transform(NEW), expected.transform(NEW), atol=1e-10)


def test_more_components_than_the_rank_are_told():
    with pytest.warns(UserWarning, match="n_components=50 is more than the rank: .* 3 pivots"):
        model = RPCholeskyKernelMap(50, kernel="linear", random_state=0).fit(X)
    assert model.transform(NEW).shape == (90, 3)
    assert len(model.get_feature_names_out()) == 3
    assert model.get_feature_names_out()[0] == "rpcholeskykernelmap0"


def test_threads_do_not_matter():
    points = RNG.normal(size=(1500, 3))
    one, two = (RPCholeskyKernelMap(90, random_state=0, n_jobs=n).fit(points) for n in (1, 2))
    np.testing.assert_array_equal(one.cholesky_, two.cholesky_)
    np.testing.assert_array_equal(one.transform(points), two.transform(points))


def test_less_error_than_uniform_components():
    points = load_digits().data / 16.0
    model = RPCholeskyKernelMap(200, gamma=0.3, random_state=0).fit(points)
    errors = [
        1 - (Nystroem(gamma=0.3, n_components=200, random_state=seed).fit_transform(points) ** 2)
        .sum() / len(points)
        for seed in range(3)
    ]  # fmt: skip
    assert model.trace_error_ < min(errors)


def test_in_a_search():
    y = np.sin(3 * X[:, 0])
    pipeline = make_pipeline(RPCholeskyKernelMap(100, random_state=0), Ridge(1e-3))
    grid = {"rpcholeskykernelmap__gamma": [0.05, 0.5]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert search.best_params_ == {"rpcholeskykernelmap__gamma": 0.5}
    assert search.best_score_ > 0.98


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "precomputed", "gamma": 1.0}, "gamma: kernel='precomputed' has none"),
        ({"kernel": lambda x, y: 1.0, "coef0": 1.0}, "coef0: kernel=.* has none"),
        ({"kernel": "sigmoid", "gamma": 2.0, "coef0": -2.0}, "X is not positive semi-definite"),
        ({"kernel": "additive_chi2"}, "X is not positive semi-definite: its diagonal is zero"),
        ({"kernel": "nonsense"}, "kernel"),
        ({"kernel": lambda x, y: x}, "kernel=.* must return a number"),
        ({"n_jobs": 0}, "n_jobs=0"),
    ],
)
def test_errors(options, message):
    model = RPCholeskyKernelMap(40, random_state=0).fit(X)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=message):
        model.set_params(**options).fit(X)
    assert {name: vars(model)[name] for name in before if name.endswith("_")} == {
        name: value for name, value in before.items() if name.endswith("_")
    }


def test_new_points_whose_kernel_is_not_finite():
    model = RPCholeskyKernelMap(3, kernel="polynomial", degree=5, random_state=0).fit(X)
    with pytest.raises(ValueError, match="X has a kernel that is NaN, infinite or too large"):
        model.transform(NEW * 1e100)


def test_a_kernel_of_rank_zero():
    """No features, also of other points."""
    with pytest.warns(UserWarning, match="n_components=5 is more than the rank: .* 0 pivots"):
        model = RPCholeskyKernelMap(5, kernel="linear", random_state=0).fit(np.zeros((20, 3)))
    assert model.transform(NEW).shape == (90, 0)
    assert model.transform(NEW.astype(np.float32)).dtype == np.float32
    assert len(model.get_feature_names_out()) == 0
    with pytest.warns(UserWarning, match="is more than the rank"):
        assert model.fit_transform(np.zeros((20, 3))).shape == (20, 0)
