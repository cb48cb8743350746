"""What scaled_gd, gradient_descent, subgradient and as_measurements refuse, by name."""

import pickle
import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from lowrank_la.sensing import (
    MatrixMeasurements,
    as_measurements,
    gradient_descent,
    scaled_gd,
    subgradient,
)
from lowrank_la.sensing._checks import degrees_of_freedom
from lowrank_la.sensing._operators import check_adjoint
from tests.layouts import dense_forms
from tests.sensing.problems import error, gaussian, low_rank, measure

SOLVERS = [scaled_gd, gradient_descent, subgradient]
SHAPE = 4, 3
A, Y, M = gaussian(SHAPE, 1, 40)
FLAT = A.reshape(40, 12)
SQUARE, Y_SQUARE, _ = gaussian((3, 3), 1, 40)


def name_of(value):
    return getattr(value, "__name__", None)


def with_entry(array, value, at=7):
    array = array.copy()
    array.flat[at] = value
    return array


def refused(call, *names):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    assert re.search(
        "|".join(rf"(?<!\w){re.escape(name)}\b" for name in names), str(caught.value)
    ), caught.value


VALUES = {
    "too few": Y[:-1],
    "none": Y[:0],
    "a number": 1.0,
    "two dimensions": Y[:, None],
    "NaN": with_entry(Y, np.nan),
    "infinite": with_entry(Y, -np.inf),
    "complex": Y + 1j,
    "objects": np.full(40, object()),
    "text": Y.astype(str),
    "dates": Y.astype("datetime64[s]"),
    "ragged": [[1.0], [1.0, 2.0]],
    "nothing": None,
    "sparse": sparse.csr_array(Y[:, None]),
}
MATRICES = {
    "NaN": with_entry(FLAT, np.nan),
    "infinite": with_entry(FLAT, np.inf),
    "complex": FLAT + 1j,
    "text": FLAT.astype(str),
    "objects": np.full((40, 12), object()),
    "one dimension": FLAT[0],
    "four dimensions": A[None],
    "no rows": FLAT[:0],
    "too few columns": FLAT[:, :-1],
    "ragged": [[1.0], [1.0, 2.0]],
    "nothing": None,
    "sparse NaN": sparse.csr_array(with_entry(FLAT, np.nan)),
    "sparse of one dimension": sparse.coo_array(FLAT[0]),
    "invalid sparse": sparse.csr_array((40, 12)),
    "operator NaN": aslinearoperator(with_entry(FLAT, np.nan)),
    "operator of too few columns": aslinearoperator(FLAT[:, :-1]),
    "no adjoint": LinearOperator((40, 12), matvec=lambda x: FLAT @ x, dtype=float),
    "one callable": (lambda X: measure(A, X),),
    "three callables": (np.sum, np.sum, np.sum),
    "callables without values": (lambda X: None, lambda z: None),
    "too few measurements": (lambda X: measure(A, X)[1:], lambda z: np.tensordot(z, A, 1)),
    "adjoint of another shape": (lambda X: measure(A, X), lambda z: np.tensordot(z, A, 1)[1:]),
    "callables that fail": (lambda X: 1 / 0, lambda z: 1 / 0),
}
MATRICES["invalid sparse"].indptr = np.r_[np.zeros(40, np.int32), np.int32(5)]


@pytest.mark.parametrize("bad", VALUES)
@pytest.mark.parametrize("solver", SOLVERS, ids=name_of)
def test_values(solver, bad):
    refused(lambda: solver(A, VALUES[bad], 1, SHAPE), "y")


@pytest.mark.parametrize("bad", MATRICES)
@pytest.mark.parametrize("solver", [scaled_gd, subgradient], ids=name_of)
def test_matrices(solver, bad):
    refused(lambda: solver(MATRICES[bad], Y, 1, SHAPE), "A")


@pytest.mark.parametrize(
    "shape", [None, 12, (4,), (4, 3, 1), (3, 3), (4, 0), (4.0, 3), "43", (4, -1)]
)
def test_shapes(shape):
    refused(lambda: scaled_gd(FLAT, Y, 1, shape), "shape", "A")
    refused(lambda: as_measurements(FLAT, shape), "shape", "A")
    pair = (lambda X: measure(A, X), lambda z: np.tensordot(z, A, 1))
    if shape != (3, 3):
        refused(lambda: as_measurements(pair, shape, 40), "shape")
    if shape is not None:
        refused(lambda: as_measurements(as_measurements(A), shape), "shape")


def test_shapes_that_contradict():
    refused(lambda: scaled_gd(as_measurements(A), Y, 1, (3, 4)), "shape")
    refused(lambda: scaled_gd(A, Y, 1, (3, 5)), "A", "shape")
    refused(lambda: as_measurements((np.diag, np.diag), (3, 3)), "m")


OPTIONS = [
    ("rank", 0), ("rank", 1.0), ("rank", True), ("rank", None), ("rank", -1),
    ("sample_weight", np.ones(39)), ("sample_weight", np.zeros(40)),
    ("sample_weight", with_entry(np.ones(40), -1.0)), ("sample_weight", with_entry(Y**2, np.nan)),
    ("sample_weight", "a"), ("sample_weight", np.ones((40, 1))), ("sample_weight", Y + 1j),
    ("tol", 0.0), ("tol", -1.0), ("tol", np.nan), ("tol", "a"), ("tol", np.inf), ("tol", None),
    ("max_iter", 0), ("max_iter", 1.5), ("max_iter", None), ("max_iter", True),
    ("init_scale", 0.0), ("init_scale", np.inf), ("init_scale", np.nan), ("init_scale", "a"),
    ("callback", 3), ("callback", "a"),
    ("rng", -1), ("rng", "seed"),
]  # fmt: skip
DESCENTS = [
    ("loss", "l2"), ("loss", None), ("loss", ["huber"]), ("loss", "logistic"), ("loss", "sign"),
    ("alpha", -1.0), ("alpha", np.nan), ("alpha", np.inf), ("alpha", "a"), ("alpha", None),
    ("validation_fraction", 0.0), ("validation_fraction", 1.0), ("validation_fraction", np.nan),
    ("validation_fraction", "a"),
    ("step_size", 0.0), ("step_size", -1.0), ("step_size", np.inf), ("step_size", np.nan),
    ("step_size", "a"),
]  # fmt: skip
OWN = {
    scaled_gd: [("damping", "none"), ("damping", None), ("damping_size", 0.0),
                ("damping_size", np.inf), ("damping_size", "a"), ("damping_size", None)],
    gradient_descent: [("imbalance", 0.0), ("imbalance", np.inf), ("imbalance", "a"),
                       ("step_size", None)],
    subgradient: [("step", "exact"), ("step", None), ("decay", 0.0), ("decay", 1.01),
                  ("decay", np.nan), ("decay", "a"), ("step_size", np.inf), ("step_size", None)],
}  # fmt: skip
CASES = [(solver, *option) for solver in SOLVERS for option in OPTIONS + OWN[solver]]
CASES += [(solver, *option) for solver in SOLVERS[:2] for option in DESCENTS]


@pytest.mark.parametrize(("solver", "name", "value"), CASES)
def test_options(solver, name, value):
    options = {"rank": 1, name: value}
    calls = []
    pair = (lambda X: calls.append(0) or measure(A, X), lambda z: np.tensordot(z, A, 1))
    if name == "sample_weight" or name == "rng":
        refused(lambda: solver(A, Y, **options), name)
    else:
        refused(lambda: solver(pair, Y, shape=SHAPE, **options), name)


def test_symmetric_matrices_are_square():
    for solver in SOLVERS:
        refused(lambda solver=solver: solver(A, Y, 1, symmetric=True), "symmetric")
    refused(
        lambda: gradient_descent(SQUARE, Y_SQUARE, 1, symmetric=True, imbalance=2.0), "imbalance"
    )


@pytest.mark.parametrize("signs", [(1, -1), (-1, -1)])
def test_matrices_that_are_not_positive_semi_definite_are_told(signs):
    values, vectors = np.linalg.eigh(low_rank((6, 6), 2, symmetric=True))
    M = vectors[:, -2:] * (values[-2:] * signs) @ vectors[:, -2:].T
    A = gaussian((6, 6), 2, 150).A
    with pytest.warns(UserWarning, match="not positive semi-definite") as caught:
        scaled_gd(A, measure(A, M), 2, symmetric=True, rng=0)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("k", [1, 2, 4])
def test_other_residuals_of_symmetric_fits_are_not_taken_for_that(k):
    A, y, _ = gaussian((6, 6), 2, 150, symmetric=True, noise=0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaled_gd(A, y, k, symmetric=True, rng=0)


@pytest.mark.parametrize("solver", SOLVERS)
def test_products_with_the_other_factor_are_checked_too(solver):
    class Twisted(MatrixMeasurements):
        def adjoint_factors(self, z, left, right):
            product, transposed = super().adjoint_factors(z, left, right)
            return product, -transposed

    refused(lambda: solver(Twisted(FLAT, SHAPE), Y, 1, rng=0), "A")


@pytest.mark.parametrize("loss", ["huber", "absolute"])
def test_medians_that_tell_no_scale(loss):
    y = np.where(np.arange(40) % 3 == 0, Y, 0.0)
    refused(lambda: scaled_gd(A, y, 1, loss=loss), "y")
    refused(lambda: scaled_gd(A, y + 2.0, 1, loss=loss, fit_intercept=True), "y")
    assert not scaled_gd(A, 0 * Y, 1, loss=loss).matrix.any()


def test_one_callable_is_no_pair():
    refused(lambda: as_measurements(np.ravel, SHAPE, 12), "A")
    pair = [np.ravel, lambda z: z.reshape(SHAPE)]
    assert np.array_equal(as_measurements(pair, SHAPE, 12) @ np.arange(12.0), np.arange(12.0))


def test_one_measurement_cannot_be_held_out():
    for solver in SOLVERS[:2]:
        refused(
            lambda solver=solver: solver(A[:1], Y[:1], 1, early_stopping=True), "early_stopping"
        )
        weights = np.eye(40)[3]
        refused(
            lambda solver=solver, w=weights: solver(A, Y, 1, early_stopping=True, sample_weight=w),
            "early_stopping",
        )


def test_two_measurements_are_enough_to_hold_one_out():
    for share in (1e-9, 0.999):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = scaled_gd(
                A[:2], Y[:2], 1, early_stopping=True, validation_fraction=share, rng=0
            )
        assert np.isfinite(found.matrix).all()
        assert found.converged


# Warnings


def warned(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    for warning in caught:
        assert warning.filename == __file__
    return result, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("solver", SOLVERS, ids=name_of)
def test_ranks_that_are_too_large_are_clipped_with_a_warning(solver):
    result, messages = warned(lambda: solver(A, Y, 9, max_iter=5000, tol=1e-3, rng=0))
    assert result.left.shape == (4, 3)
    assert any(re.search("rank=9 .*3", message) for message in messages)


@pytest.mark.parametrize("solver", SOLVERS, ids=name_of)
def test_fewer_measurements_than_degrees_of_freedom_are_told(solver):
    few = warned(lambda: solver(A[:5], Y[:5], 1, tol=1e-3, rng=0))[1]
    assert any("5 measurements" in m and "6 degrees of freedom" in m for m in few)
    enough = warned(lambda: solver(A[:6], Y[:6], 1, tol=1e-3, max_iter=9999, rng=0))[1]
    assert not any("degrees" in m for m in enough)
    weights = np.r_[np.zeros(35), np.ones(5)]
    weighted = warned(lambda: solver(A, Y, 1, sample_weight=weights, tol=1e-3, rng=0))[1]
    assert any("5 measurements" in m for m in weighted)


def test_regularised_problems_may_have_few_measurements():
    for options in ({"alpha": 0.01}, {"early_stopping": True}):
        assert not warned(lambda options=options: scaled_gd(A[:5], Y[:5], 2, rng=0, **options))[1]


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6), st.booleans())
def test_degrees_of_freedom_are_the_dimension_of_the_tangent_space(n1, n2, k, symmetric):
    n2 = n1 if symmetric else n2
    k = min(k, n1, n2)
    rng = np.random.default_rng(0)
    left = rng.standard_normal((n1, k))
    right = left if symmetric else rng.standard_normal((n2, k))
    tangents = []
    for i in range(n1 * k):
        move = np.eye(n1 * k)[i].reshape(n1, k)
        tangents.append(move @ right.T + (right @ move.T if symmetric else 0))
    if not symmetric:
        tangents += [left @ move.reshape(n2, k).T for move in np.eye(n2 * k)]
    dimension = np.linalg.matrix_rank(np.reshape(tangents, (len(tangents), -1)))
    assert degrees_of_freedom((n1, n2), k, symmetric) == dimension


# Adjoints


def pair_of(A, adjoint):
    shape = A.shape[1:]
    return as_measurements((lambda X: measure(A, X), adjoint), shape, len(A))


WRONG = {
    "sign": lambda A: lambda z: -np.tensordot(z, A, 1),
    "twice": lambda A: lambda z: 2 * np.tensordot(z, A, 1),
    "a little too large": lambda A: lambda z: 1.05 * np.tensordot(z, A, 1),
    "divided by m": lambda A: lambda z: np.tensordot(z, A, 1) / len(z),
    "transposed": lambda A: lambda z: np.tensordot(z, A, 1).T,
    "zero": lambda A: lambda z: np.zeros(A.shape[1:]),
    "one is missing": lambda A: lambda z: np.tensordot(z[1:], A[1:], 1),
    "reversed": lambda A: lambda z: np.tensordot(z[::-1], A, 1),
    "squared": lambda A: lambda z: np.tensordot(z**2, A, 1),
}


SLIGHT = "a little too large", "one is missing"


@pytest.mark.parametrize("unit", [1e-80, 1.0, 1e80])
@pytest.mark.parametrize("wrong", WRONG)
def test_adjoints_that_do_not_match_are_found(wrong, unit):
    """A check with random vectors overlooks few of them."""
    B = unit * np.random.default_rng(0).standard_normal((9, 5, 5))
    measurements, missed = pair_of(B, WRONG[wrong](B)), 0
    for seed in range(40):
        try:
            check_adjoint(measurements, np.random.default_rng(seed))
            missed += 1
        except ValueError as failed:
            assert "adjoint do not match" in str(failed)  # noqa: PT017
    assert missed <= (3 if wrong in SLIGHT else 1)


@pytest.mark.parametrize("solver", SOLVERS, ids=name_of)
def test_solvers_check_the_adjoint(solver):
    bad = (lambda X: measure(A, X), lambda z: -np.tensordot(z, A, 1))
    refused(lambda: solver(bad, Y, 1, SHAPE, rng=0), "A", "adjoint")


@st.composite
def operators(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    m, n1, n2 = (draw(st.integers(1, 12)) for _ in range(3))
    kind = draw(st.sampled_from(["normal", "entries", "rank one", "lognormal", "constant", "zero"]))
    B = rng.standard_normal((m, n1, n2))
    if kind == "entries":
        B = np.eye(n1 * n2)[rng.integers(0, n1 * n2, m)].reshape(m, n1, n2)
    elif kind == "rank one":
        B = rng.standard_normal((m, n1, 1)) * rng.standard_normal((m, 1, n2))
    elif kind == "lognormal":
        B = B * np.exp(5 * rng.standard_normal((m, 1, 1)))
    elif kind == "constant":
        B = np.ones((m, n1, n2))
    elif kind == "zero":
        B = 0 * B
    unit = draw(st.sampled_from([1e-100, 1e-30, 1.0, 1e30, 1e100]))
    if unit == 1 and draw(st.booleans()):
        return B.astype(np.float32)
    return unit * B


@given(operators(), st.integers(0, 99), st.sampled_from(["dense", "sparse", "pair"]))
def test_adjoints_that_match_are_never_refused(B, seed, form):
    flat = B.reshape(len(B), -1)
    measurements = {
        "dense": lambda: as_measurements(B),
        "sparse": lambda: as_measurements(sparse.csr_array(flat), B.shape[1:]),
        "pair": lambda: pair_of(B, lambda z: np.tensordot(z, B, 1)),
    }[form]()
    with np.errstate(under="ignore"):
        check_adjoint(measurements, np.random.default_rng(seed))


# Operators of any manners


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_operators_may_return_what_they_like():
    integers = np.random.default_rng(0).integers(-3, 4, (40, 12))
    y = integers @ M.ravel()
    buffers = np.empty(40), np.empty(12)
    forms = {
        "integers": aslinearoperator(integers),
        "integer array": integers,
        "bytes": integers.astype(np.int8),
        "matrix": np.asmatrix(integers.astype(float)),
        "sparse integers": sparse.coo_matrix(integers),
        "matrices": LinearOperator(
            (40, 12), matvec=lambda x: np.asmatrix(integers @ x).T,
            rmatvec=lambda z: np.asmatrix(integers.T @ z).T, dtype=float,
        ),
        "columns": LinearOperator(
            (40, 12), matvec=lambda x: (integers @ x).reshape(-1, 1),
            rmatvec=lambda z: (integers.T @ z).reshape(-1, 1), dtype=float,
        ),
        "one place": (
            lambda X: np.matmul(integers.astype(float), X.ravel(), out=buffers[0]),
            lambda z: np.matmul(integers.T.astype(float), z, out=buffers[1]),
        ),
        "lists": (lambda X: list(integers @ X.ravel()), lambda z: (integers.T @ z).tolist()),
    }  # fmt: skip
    for name, form in forms.items():
        assert error(scaled_gd(form, y, 1, SHAPE, rng=0), M) < 1e-9, name


def test_operators_in_single_precision():
    single = FLAT.astype(np.float32)
    for form in (aslinearoperator(single), sparse.csr_array(single), single):
        found = scaled_gd(form, Y, 1, SHAPE, rng=0)
        assert found.matrix.dtype == np.float32
        assert error(found, M) < 1e-5


def test_layouts_give_the_same_and_stay_as_they_are(tmp_path):
    forms = dense_forms(FLAT, tmp_path)
    expected = scaled_gd(FLAT, Y, 1, SHAPE, rng=0).matrix
    for name, form in forms.items():
        kept = pickle.dumps(form)
        found = scaled_gd(form, Y, 1, SHAPE, rng=0)
        assert error(found, expected) < (1e-4 if "32" in name else 1e-9), name
        assert pickle.dumps(form) == kept, name


@pytest.mark.parametrize("solver", SOLVERS, ids=name_of)
def test_inputs_stay_as_they_are(solver):
    weights = np.arange(40.0)
    given_ = [A.copy(), Y.copy(), weights]
    for array in given_:
        array.flags.writeable = False
    solver(*given_[:2], 1, sample_weight=given_[2], tol=1e-2, rng=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solver(*given_[:2], 1, fit_intercept=True, max_iter=5, rng=0)
    np.testing.assert_array_equal(given_[0], A)
    np.testing.assert_array_equal(given_[1], Y)
    np.testing.assert_array_equal(given_[2], np.arange(40))


def test_measurements_tell_their_shapes():
    measurements = as_measurements(sparse.csr_array(FLAT.astype(np.float32)), SHAPE)
    assert isinstance(measurements, MatrixMeasurements)
    assert isinstance(measurements, LinearOperator)
    assert measurements.shape == (40, 12)
    assert measurements.matrix_shape == SHAPE
    assert measurements.dtype == np.float32
    assert as_measurements(measurements) is measurements
    rng = np.random.default_rng(0)
    left, right, z = (
        rng.standard_normal((4, 2)),
        rng.standard_normal((3, 2)),
        rng.standard_normal(40),
    )
    np.testing.assert_allclose(
        measurements.apply_factors(left, right), measure(A, left @ right.T), rtol=1e-4
    )
    G = np.tensordot(z, A, 1)
    to_left, to_right = measurements.adjoint_factors(z, left, right)
    np.testing.assert_allclose(to_left, G @ right, rtol=1e-4)
    np.testing.assert_allclose(to_right, G.T @ left, rtol=1e-4)
    np.testing.assert_allclose(measurements.adjoint_times(z, right), G @ right, rtol=1e-4)


def test_values_that_are_all_equal_but_for_a_matrix():
    """Measurements whose values hide in a constant."""
    B = MatrixMeasurements(np.eye(16), (4, 4))
    N = low_rank((4, 4), 1)
    found = scaled_gd(B, N.ravel() + 1e6, 1, fit_intercept=True, rng=0)
    assert found.intercept == pytest.approx(1e6, rel=1e-6)
