"""Rows and columns chosen on a GPU are those chosen on the CPU."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse

from lowrank_la.decomposition import (
    CUR,
    ColumnSubsetSelector,
    _pivots_cpu,
    _pivots_cuda,
    cur,
    interpolative,
    select_columns,
    select_rows,
)
from lowrank_la.sketch import _gaussian_cuda, _sparse_cuda, _srht_cuda
from tests.decomposition.problems import CORES, ELIMINATIONS, SELECTIONS
from tests.reference import cur as reference
from tests.strict import Strict, strict_gpu

pytestmark = [
    pytest.mark.usefixtures("launches"),
    pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:.* are independent of each other:UserWarning"),
]
close = np.testing.assert_allclose
same = np.testing.assert_array_equal
RNG = np.random.default_rng(0)
A = RNG.normal(size=(14, 8)) * 0.5 ** np.arange(8)
FUNCTIONS = [select_columns, select_rows]
every_selection = pytest.mark.parametrize("selection", SELECTIONS)
every_core = pytest.mark.parametrize("core", CORES)


def test_same_names():
    for name in ("eliminate", *_pivots_cuda.__all__):
        assert hasattr(_pivots_cpu, name) and hasattr(_pivots_cuda, name)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (3, 9), (9, 3), (6, 6), (9, 20)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_eliminate(shape, order, launches):
    Y = np.asarray(RNG.normal(size=shape), order=order)
    kept = Y.copy()
    for expected in (_pivots_cpu.eliminate(Y), reference.elimination(Y)):
        found = _pivots_cuda.eliminate(Y)
        same(found[0][: min(shape)], expected[0][: min(shape)])
        close(found[1], expected[1], rtol=1e-9)
    same(np.sort(found[0]), np.arange(shape[1]))
    same(Y, kept)
    assert launches == ({"_update"} if shape[0] > 1 else set())


@pytest.mark.parametrize("seed", range(6))
def test_ties_and_zeros(seed):
    """Of equal entries the first is taken, where the columns lie then."""
    Y = np.random.default_rng(seed).integers(-1, 2, (5, 8)).astype(float)
    Y[seed % 5] = 0
    found, expected = (kernels.eliminate(Y) for kernels in (_pivots_cuda, _pivots_cpu))
    close(found[1], expected[1], atol=1e-15)
    solid = expected[1] > 1e-12
    same(found[0][:5][solid], expected[0][:5][solid])


@pytest.mark.parametrize("Y", [np.zeros((3, 4)), np.eye(4), np.ones((3, 5)), np.zeros((0, 4))])
def test_nothing_to_eliminate(Y):
    for one, other in zip(_pivots_cuda.eliminate(Y), _pivots_cpu.eliminate(Y), strict=True):
        same(one, other)


@every_selection
@every_core
@pytest.mark.parametrize("sketch", ["gaussian", "sparse_sign", None])
def test_cur(selection, core, sketch):
    options = {"selection": selection, "core": core, "sketch": sketch, "rng": 0}
    found, expected = (cur(A, 4, device=device, **options) for device in ("cuda", "cpu"))
    same(found.row_indices, expected.row_indices)
    same(found.column_indices, expected.column_indices)
    same(found.columns, expected.columns)
    close(found.coefficients, expected.coefficients, atol=1e-9)
    close(found.core @ np.eye(4), expected.core @ np.eye(4), rtol=1e-6, atol=1e-9)
    close(found.error, expected.error, rtol=1e-9)
    close(found.error_estimate, expected.error_estimate, rtol=1e-9)


@pytest.mark.parametrize("selection", ELIMINATIONS)
@every_core
def test_tolerances(selection, core):
    options = {"tol": 0.1, "selection": selection, "core": core, "sketch": "gaussian", "rng": 0}
    found, expected = (cur(A, device=device, **options) for device in ("cuda", "cpu"))
    assert found.converged and found.error <= 0.1 * np.linalg.norm(A)
    same(found.row_indices, expected.row_indices)
    same(found.column_indices, expected.column_indices)
    close(found.history, expected.history, rtol=1e-9)


@every_selection
def test_choices(selection):
    for function in FUNCTIONS:
        found, expected = (
            function(A, 4, selection=selection, device=device, rng=0) for device in ("cuda", "cpu")
        )
        same(found, expected)
    found, expected = (
        interpolative(A, 4, selection=selection, device=device, rng=0) for device in ("cuda", "cpu")
    )
    same(found.indices, expected.indices)
    close(found.coefficients, expected.coefficients, atol=1e-9)


@pytest.mark.parametrize(
    "data", [A[:, :1], A[:1], np.zeros((4, 3)), np.ones((5, 4)), A * 1e200, A * 1e-300, np.eye(7)]
)
@every_selection
def test_edges(data, selection):
    found, expected = (
        cur(data, 3, selection=selection, device=device, rng=0) for device in ("cuda", "cpu")
    )
    same(found.column_indices, expected.column_indices)
    same(found.row_indices, expected.row_indices)
    size = np.abs(data).max()
    close(found.error, expected.error, rtol=1e-9, atol=1e-14 * size)
    close(found.coefficients, expected.coefficients, atol=1e-9)


def test_single_precision():
    data = A.astype(np.float32)
    found = cur(data, 4, device="cuda", rng=0)
    same(found.column_indices, cur(data, 4, rng=0).column_indices)
    assert found.coefficients.dtype == found.columns.dtype == np.float32


# Arrays on a GPU


@pytest.fixture
def on_gpu(monkeypatch):
    """Move an array to where it meets none on the host."""
    return strict_gpu(monkeypatch, _pivots_cuda, _gaussian_cuda, _sparse_cuda, _srht_cuda)


@every_selection
@every_core
def test_arrays_on_a_gpu(selection, core, on_gpu):
    found = cur(on_gpu(A), 4, selection=selection, core=core, rng=0)
    expected = cur(A, 4, selection=selection, core=core, rng=0)
    for name in ("columns", "rows", "coefficients"):
        assert isinstance(getattr(found, name), Strict), name
        close(getattr(found, name).get(), getattr(expected, name), atol=1e-9)
    for name in ("row_indices", "column_indices"):
        assert type(getattr(found, name)) is np.ndarray
        same(getattr(found, name), getattr(expected, name))
    assert type(found.error) is type(found.error_estimate) is float
    close(found.error, expected.error, rtol=1e-9)
    close(found.error_estimate, expected.error_estimate, rtol=1e-9)
    close(found.core @ np.eye(4), expected.core @ np.eye(4), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("selection", ELIMINATIONS)
@every_core
def test_arrays_on_a_gpu_up_to_a_tolerance(selection, core, on_gpu):
    found = cur(on_gpu(A), tol=0.1, selection=selection, core=core, rng=0)
    same(
        found.column_indices, cur(A, tol=0.1, selection=selection, core=core, rng=0).column_indices
    )
    assert type(found.history) is np.ndarray and found.converged


@pytest.mark.parametrize("data", [np.zeros((4, 3)), A[:1], A * 1e200])
@every_core
def test_edges_on_a_gpu(data, core, on_gpu):
    found, expected = (cur(given, 2, core=core, rng=0) for given in (on_gpu(data), data))
    same(found.column_indices, expected.column_indices)
    close(found.coefficients.get(), expected.coefficients, atol=1e-9)
    close(found.error, expected.error, rtol=1e-9, atol=1e-13)
    wrong = data.copy()
    wrong[0, 1] = np.nan
    with pytest.raises(ValueError, match="A has NaN or infinity"):
        cur(on_gpu(wrong), 2, rng=0)


def test_arrays_from_the_host_come_back(on_gpu):
    """Computed with on a GPU; and the other way."""
    found = cur(A, 4, device="cuda", rng=0)
    for part in (found.columns, found.rows, found.coefficients):
        assert type(part) is np.ndarray
    assert type(interpolative(A, 4, device="cuda", rng=0).coefficients) is np.ndarray
    found = cur(on_gpu(A), 4, device="cpu", rng=0)
    for part in (found.columns, found.rows, found.coefficients):
        assert isinstance(part, Strict)
    close(found.error, cur(A, 4, rng=0).error, rtol=1e-9)


@every_selection
def test_choices_on_a_gpu(selection, on_gpu):
    for function in FUNCTIONS:
        found = function(on_gpu(A), 4, selection=selection, rng=0)
        assert type(found) is np.ndarray
        same(found, function(A, 4, selection=selection, rng=0))
    found = interpolative(on_gpu(A), 4, selection=selection, rng=0)
    expected = interpolative(A, 4, selection=selection, rng=0)
    close(found.coefficients.get(), expected.coefficients, atol=1e-9)


def test_the_estimator(on_gpu):
    model, expected = (CUR(4, random_state=0).fit(data) for data in (on_gpu(A), A))
    same(model.column_indices_, expected.column_indices_)
    columns = model.transform(on_gpu(A))
    assert isinstance(columns, Strict) and isinstance(model.components_, Strict)
    back = model.inverse_transform(columns)
    assert isinstance(back, Strict)
    close(back.get(), expected.inverse_transform(columns.get()), atol=1e-9)
    assert type(model.inverse_transform(columns.get())) is np.ndarray
    assert isinstance(expected.inverse_transform(columns), Strict)
    close(model.reconstruction_error_, expected.reconstruction_error_, rtol=1e-9)


def test_the_selector(on_gpu):
    model, expected = (ColumnSubsetSelector(4, random_state=0).fit(data) for data in (on_gpu(A), A))
    same(model.get_support(), expected.get_support())
    selected = model.transform(on_gpu(A))
    assert isinstance(selected, Strict)
    same(selected.get(), expected.transform(A))
    with pytest.raises(ValueError, match="7 features"):
        model.transform(on_gpu(A[:, :7]))


def test_what_is_pickled(on_gpu):
    found = cur(A, 4, device="cuda", rng=0)
    copy = pickle.loads(pickle.dumps(found))
    close(copy.error, found.error)
    same(copy.coefficients, found.coefficients)


@pytest.mark.parametrize("function", [cur, interpolative, *FUNCTIONS])
def test_sparse_matrices(function):
    with pytest.raises(ValueError, match="A is sparse: device='cuda' takes dense arrays"):
        function(sparse.csr_array(A), 2, device="cuda")


def test_sparse_rows_of_estimators():
    for model in (CUR(2, device="cuda"), ColumnSubsetSelector(2, device="cuda")):
        with pytest.raises(ValueError, match="X is sparse: device='cuda'"):
            model.fit(sparse.csr_array(A))


def test_no_warning_of_its_own():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cur(A, 4, device="cuda", rng=0)
