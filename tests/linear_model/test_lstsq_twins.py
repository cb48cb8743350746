"""The CUDA twins of least squares do what the CPU's do, pass by pass and in whole solves."""

import numpy as np
import pytest
from scipy import sparse

from lowrank_la.linear_model import SketchedLinearRegression, _cpu, _cuda, _lstsq, lstsq
from lowrank_la.linear_model._design import Design
from lowrank_la.sketch import SRHT, CountSketch, _srht_cuda
from tests.strict import Strict, strict_gpu

pytestmark = [
    pytest.mark.usefixtures("launches"),
    # NumPy's, of the simulator's scalars, where too large numbers are given.
    pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning"),
]
CASES = [  # shape, targets, float32, weights, constant
    ((1, 1), 1, False, False, False),
    ((4, 3), 1, True, False, True),
    ((19, 18), 2, False, True, True),
    ((19, 2), 1, True, True, False),
]
close = np.testing.assert_allclose


def problem(shape, n_targets=1, single=False, weighted=False, seed=0):
    """Features, targets and weights, of which one is zero."""
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=shape) + 3).astype(np.float32 if single else np.float64)
    weights = np.append(rng.random(shape[0] - 1), 0.0) if weighted else None
    return X, rng.normal(size=(shape[0], n_targets)), weights


def designs(shape, n_targets, single, weighted, constant):
    """Designs of the same data on both devices."""
    X, Y, weights = problem(shape, n_targets, single, weighted)
    options = {"alpha": 0.3, "fit_intercept": constant}
    return [Design(X, Y, weights, device=device, **options) for device in ("cpu", "cuda")]


def assert_same(results):
    for expected, found in zip(*results, strict=True):
        close(found, expected, rtol=1e-11, atol=1e-11)
        assert type(found) is np.ndarray


def test_same_names():
    for name in _cuda.__all__:
        assert hasattr(_cpu, name)


@pytest.mark.parametrize("case", CASES)
def test_gradient(case, launches):
    pair = designs(*case)
    coef = np.random.default_rng(1).normal(size=(pair[0].n_design, pair[0].n_targets))
    assert_same([design.gradient(coef) for design in pair])
    assert_same([design.gradient(coef, with_targets=False) for design in pair])
    assert launches == {"_gradient", "_add_sums"}
    assert pair[0].n_passes == pair[1].n_passes == 2


@pytest.mark.parametrize("case", CASES)
def test_gram(case):
    pair = designs(*case)
    assert_same([design.gram() for design in pair])
    basis = np.random.default_rng(1).normal(size=(pair[0].n_design, 2))
    assert_same([design.gram(basis) for design in pair])


@pytest.mark.parametrize("case", CASES)
def test_rows(case):
    pair = designs(*case)
    assert_same([design.all_rows() for design in pair])
    assert_same([(design.some_rows(3),) for design in pair])


@pytest.mark.parametrize("law", [SRHT, CountSketch])
def test_sketched(law, launches):
    pair = designs((19, 2), 1, False, True, True)
    assert_same([design.sketched(law(7, random_state=0)) for design in pair])
    assert "_add" in launches


@pytest.mark.parametrize("order", ["C", "F"])
def test_panels_of_few_rows(order, monkeypatch):
    monkeypatch.setattr(_cuda, "panel_rows", lambda width: 8)
    X, Y, weights = problem((21, 3), 2, weighted=True)
    X = np.asarray(X, order=order)
    pair = [Design(X, Y, weights, fit_intercept=True, device=d) for d in ("cpu", "cuda")]
    basis = np.random.default_rng(1).normal(size=(4, 2))
    assert_same([design.gradient(basis) for design in pair])
    assert_same([design.gram() for design in pair])
    assert_same([design.gram(basis) for design in pair])
    assert_same([design.all_rows() for design in pair])


def test_the_same_bits_every_time():
    design = designs(*CASES[2])[1]
    coef = np.ones((design.n_design, 2))
    for one, other in zip(*(design.gradient(coef) for _ in range(2)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e300])
def test_numbers_that_no_sum_holds(wrong):
    X, Y, _ = problem((9, 2))
    X[4, 1] = wrong
    design = Design(X, Y, device="cuda")
    for passed in (design.gram, lambda: design.gradient(np.ones((2, 1)))):
        with pytest.raises(FloatingPointError):
            passed()


def on_both(A, b, **options):
    """Solve on both devices; the solutions agree. Return the GPU's."""
    one, other = (lstsq(A, b, rng=0, device=device, **options) for device in ("cpu", "cuda"))
    assert other.method == one.method
    assert other.rank == one.rank
    assert other.converged
    rtol = 1e-9 if A.dtype == np.float64 else 1e-6
    close(other.x, one.x, rtol=rtol)
    close(other.residual_norms, one.residual_norms, rtol=rtol)
    assert other.condition_number == pytest.approx(one.condition_number)
    assert other.x.dtype == one.x.dtype
    return other


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("auto", {}),
        ("csne", {}),
        ("presketch", {"sketch": "sparse_sign", "sketch_size": 10}),
        ("presketch", {"sketch": "gaussian", "sketch_size": 10}),
        ("spir", {"sketch_size": 10}),
        ("fossils", {"sketch_size": 10}),
        ("qr", {}),
        ("sketch", {"sketch_size": 9}),
    ],
)
def test_lstsq(method, options, launches):
    A, Y, _ = problem((11, 2))
    on_both(A, Y[:, 0], method=method, **options)
    # The sketched rows are few: their problem is solved on the host.
    assert {"_gradient", "_add_sums"} <= launches or method == "sketch"
    assert ({"_entries", "_fill", "_add"} & launches) or method in ("auto", "csne", "qr")


def test_lstsq_in_float32_with_weights():
    A, Y, weights = problem((11, 2), 2, single=True, weighted=True)
    on_both(np.asfortranarray(A), Y, sample_weight=weights)


@pytest.mark.parametrize("size", [1e-170, 1e200])
def test_lstsq_in_other_units(size, launches):
    A, Y, _ = problem((11, 2))
    on_both(A * size, Y)
    assert "_gradient" in launches


def test_lstsq_of_dependent_columns():
    A, Y, _ = problem((11, 2))
    assert on_both(A[:, [0, 1, 0]], Y).rank == 2


@pytest.mark.parametrize(("method", "sketch_size"), [("auto", None), ("sketch", 6)])
def test_estimator(method, sketch_size, launches):
    X, Y, weights = problem((13, 2), 2, weighted=True)
    pair = [
        SketchedLinearRegression(
            method, sketch_size=sketch_size, alpha=0.5, device=device, random_state=0
        )
        for device in ("cpu", "cuda")
    ]
    one, other = (model.fit(X, Y, weights) for model in pair)
    close(other.coef_, one.coef_, rtol=1e-9)
    close(other.intercept_, one.intercept_, rtol=1e-9)
    assert "_gradient" in launches or method == "sketch"
    for rows in (slice(0, 8), slice(8, None)):
        one, other = (model.partial_fit(X[rows], Y[rows], weights[rows]) for model in pair)
    close(other.coef_, one.coef_, rtol=1e-9)
    close(other.predict(X), one.predict(X), rtol=1e-9)


@pytest.fixture
def on_gpu(monkeypatch):
    """Move an array to where it meets none on the host."""
    return strict_gpu(monkeypatch, _cuda, _lstsq, _srht_cuda)


@pytest.mark.parametrize("method", ["auto", "presketch", "spir", "qr", "sketch"])
def test_arrays_on_a_gpu(method, on_gpu):
    A, Y, weights = problem((11, 2), 2, weighted=True)
    options = {"method": method, "sketch_size": 9, "rng": 0}
    found = lstsq(on_gpu(A), on_gpu(Y), sample_weight=on_gpu(weights), **options)
    expected = lstsq(A, Y, sample_weight=weights, **options)
    assert isinstance(found.x, Strict)
    assert type(found.residual_norms) is np.ndarray
    close(found.x.get(), expected.x, rtol=1e-9)
    close(found.residual_norms, expected.residual_norms, rtol=1e-9)


def test_arrays_on_a_gpu_in_other_units(on_gpu):
    A, Y, _ = problem((11, 2))
    close(lstsq(on_gpu(A * 1e200), Y).x.get(), lstsq(A * 1e200, Y).x, rtol=1e-9)
    A[3] = np.nan
    with pytest.raises(ValueError, match="A has entries that are NaN"):
        lstsq(on_gpu(A), Y)


def test_arrays_on_a_gpu_for_the_cpu(on_gpu):
    A, Y, _ = problem((11, 2))
    found = lstsq(on_gpu(A), on_gpu(Y), device="cpu")
    assert isinstance(found.x, Strict)
    np.testing.assert_array_equal(found.x.get(), lstsq(A, Y).x)


@pytest.mark.parametrize(("method", "sketch_size"), [("auto", None), ("sketch", 6)])
@pytest.mark.parametrize("n_targets", [None, 2])
def test_estimator_of_arrays_on_a_gpu(method, sketch_size, n_targets, on_gpu):
    X, Y, _ = problem((13, 2), n_targets or 1, single=True)
    Y = Y if n_targets else Y[:, 0]
    model = SketchedLinearRegression(method, sketch_size=sketch_size, random_state=0)
    expected = model.fit(X, Y).predict(X)
    predicted = model.fit(on_gpu(X), on_gpu(Y)).predict(on_gpu(X))
    assert type(model.coef_) is np.ndarray
    assert isinstance(predicted, Strict)
    assert predicted.dtype == np.float32
    close(predicted.get(), expected, rtol=1e-5)
    close(model.partial_fit(on_gpu(X), on_gpu(Y)).predict(X), expected, rtol=1e-5)


class OnGPU:
    """What a sparse matrix there shows of itself."""

    dtype, shape = np.dtype(float), (11, 2)

    def __init__(self, data):
        self.data = data

    def tocsr(self):
        return self


def test_sparse_matrices(on_gpu):
    A, Y, _ = problem((11, 2))
    for matrix, device in [(sparse.csr_array(A), "cuda"), (OnGPU(on_gpu(A)), None)]:
        with pytest.raises(ValueError, match="A is a sparse matrix: a GPU takes dense"):
            lstsq(matrix, Y, device=device)
        with pytest.raises(ValueError, match="X is a sparse matrix: a GPU takes dense"):
            SketchedLinearRegression(device=device).fit(matrix, Y)


def test_bad_input_on_a_gpu(on_gpu):
    A, Y, _ = problem((11, 2))
    with pytest.raises(ValueError, match="b has shape"):
        lstsq(on_gpu(A), on_gpu(Y[:-1]))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SketchedLinearRegression().fit(on_gpu(A), Y[:-1])
    with pytest.raises(ValueError, match="device='gpu' is unknown"):
        lstsq(A, Y, device="gpu")
