"""lstsq: as good as LAPACK, for any condition, shape, weight, layout and scale."""

import inspect
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression

from lowrank_la.linear_model import LstsqResult, SketchedLinearRegression, lstsq
from lowrank_la.linear_model._methods import METHODS
from tests.layouts import dense_forms, sparse_forms
from tests.linear_model.problems import coherent, haar, one_hot
from tests.reference import lstsq as naive
from tests.strategies import integers

EPS = np.finfo(float).eps
EXACT = sorted({*METHODS} - {"sketch"})
ANY_CONDITION = sorted({*EXACT} - {"csne"})
RNG = np.random.default_rng(0)
A = RNG.standard_normal((300, 6))
B = A @ np.arange(12.0).reshape(6, 2) + RNG.standard_normal((300, 2))


def error(x, exact):
    return np.linalg.norm(x - exact) / np.linalg.norm(exact)


def assert_stable(A, b, x, result):
    """No worse than a few times the complete orthogonal factorisation of LAPACK."""
    lapack = linalg.lstsq(A, b, cond=1e-16, lapack_driver="gelsy")[0]
    condition = np.linalg.cond(A)
    assert isinstance(result, LstsqResult)
    assert result.converged
    assert result.rank == A.shape[1]
    assert naive.backward_error(A, b, result.x) < 5e-16
    assert error(result.x, x) <= 30 * error(lapack, x) + 50 * EPS * condition
    expected = np.linalg.norm(b - A @ lapack)
    scale = (
        np.linalg.norm(b) + np.linalg.norm(A) * np.linalg.norm([x, lapack, result.x], axis=1).max()
    )
    found = np.linalg.norm(b - A @ result.x)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-14 * scale)
    assert result.residual_norms == pytest.approx(found, rel=1e-6, abs=1e-14 * scale)
    assert condition / 2.5 < result.condition_number < 2.5 * condition  # of a sketch, for some


@pytest.mark.parametrize("residual", [0.0, 1e-6, 1.0, 1e3])
@pytest.mark.parametrize("condition", [1, 1e3, 1e7, 1e10, 1e13])
@pytest.mark.parametrize("method", ANY_CONDITION)
def test_any_condition(method, condition, residual):
    problem = haar(2000, 20, condition, residual)
    assert_stable(*problem, lstsq(*problem[:2], method=method, rng=0))


@pytest.mark.parametrize("condition", [1, 1e3, 1e6])
def test_corrected_normal_equations(condition):
    problem = haar(2000, 20, condition, 1e-3)
    result = lstsq(*problem[:2], method="csne")
    assert_stable(*problem, result)
    assert result.method == "csne"


@pytest.mark.parametrize(("condition", "times"), [(1e3, 3), (1e5, 3), (1e7, 3), (1e10, 5)])
def test_forward_errors_beside_lapack(condition, times):
    """Of one of LAPACK's drivers, whose own errors vary by more from draw to draw."""
    ratios = []
    for seed in range(15):
        A, b, x = haar(5000, 30, condition, 1e-6, seed)
        lapack = linalg.lstsq(A, b, cond=1e-16, lapack_driver="gelsy")[0]
        ratios.append(error(lstsq(A, b, rng=seed).x, x) / error(lapack, x))
    assert np.exp(np.mean(np.log(ratios))) < times


@pytest.mark.parametrize(("condition", "method"), [(1e3, "csne"), (1e12, "presketch")])
def test_choice(condition, method):
    assert lstsq(*haar(2000, 20, condition, 1.0)[:2], rng=0).method == method
    assert lstsq(*haar(50, 20, condition, 1.0)[:2]).method == "qr"


def test_normal_equations_where_they_cannot_be_trusted():
    problem = haar(2000, 20, 1e12, 1.0)
    with pytest.warns(ConvergenceWarning, match="csne") as told:
        result = lstsq(*problem[:2], method="csne", rng=0)
    assert_stable(*problem, result)
    with pytest.warns(ConvergenceWarning, match="csne") as told_of_fit:
        SketchedLinearRegression("csne", random_state=0).fit(*problem[:2])
    assert {warning.filename for warning in [*told, *told_of_fit]} == {__file__}


@pytest.mark.parametrize("method", EXACT)
def test_coherent_rows(method):
    problem = coherent(3000, 12)
    assert_stable(*problem, lstsq(*problem[:2], method=method, rng=0))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("method", EXACT)
def test_one_row_of_leverage_one(method, form):
    X, y = one_hot(3000, 10)
    result = lstsq(form(X), y, method=method, rng=0)
    np.testing.assert_allclose(result.x, naive.lstsq(X, y)[0], rtol=1e-10, atol=1e-11)
    fitted = X @ result.x
    assert fitted[1500] == pytest.approx(y[1500], rel=1e-12)


@pytest.mark.parametrize("method", ANY_CONDITION)
def test_columns_of_any_size(method):
    """What rounding costs does not depend on units."""
    A, b, x = haar(2000, 12, 1e4, 1e-4)
    scale = 10.0 ** np.linspace(-12, 12, 12)
    plain, found = (lstsq(matrix, b, method=method, rng=0).x for matrix in (A, A * scale))
    assert error(found * scale, plain) < 1e-9


# Dependent columns

SHAPES = {
    "more columns than rows": A[:4],
    "as many": A[:6],
    "one more row": A[:7],
    "one column": A[:, :1],
    "one row": A[:1],
    "one entry": A[:1, :1],
    "repeated columns": np.c_[A, A[:, :2]],
    "proportional columns": np.c_[A, 10 * A[:, 1:3]],
    "a zero column": np.c_[A, np.zeros(300)],
    "constant columns": np.c_[A, np.full(300, 0.1), np.full(300, 7.0)],
    "nothing but zeros": 0 * A,
    "dummies": np.c_[A, np.eye(3)[np.arange(300) % 3], np.ones(300)],
    "rows alike": np.tile(A[:1], (50, 1)),
    "tall, repeated": np.repeat(RNG.standard_normal((2500, 3)), 2, axis=1),
}


@pytest.mark.filterwarnings("ignore:the data are too ill conditioned")
@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("shape", SHAPES)
def test_least_norm(shape, method):
    matrix = SHAPES[shape]
    b = np.resize(B, (len(matrix), 2))
    result = lstsq(matrix, b, method=method, rng=0)
    np.testing.assert_allclose(result.x, naive.lstsq(matrix, b)[0], rtol=1e-9, atol=1e-11)
    assert result.rank == np.linalg.matrix_rank(matrix)
    assert result.converged


def test_rcond():
    problem = haar(2000, 20, 1e6, 1e-3)
    for method in ANY_CONDITION:
        result = lstsq(*problem[:2], method=method, rcond=1e-3, rng=0)
        assert 8 <= result.rank <= 12, method
        assert np.linalg.norm(result.x) < 2
    assert lstsq(*problem[:2], rcond=1e-8, rng=0).rank == 20


# Weights


@pytest.mark.parametrize("method", EXACT)
def test_weights_are_repetitions(method):
    weights = RNG.integers(0, 4, 300)
    result = lstsq(A, B, sample_weight=weights, method=method, rng=0)
    repeated = lstsq(A.repeat(weights, axis=0), B.repeat(weights, axis=0), method=method, rng=0)
    np.testing.assert_allclose(result.x, repeated.x, rtol=1e-11)
    np.testing.assert_allclose(result.residual_norms, repeated.residual_norms, rtol=1e-10)


@pytest.mark.parametrize("method", [*EXACT, "sketch"])
@pytest.mark.parametrize("size", [1.0, 1e200])
def test_rows_of_weight_zero_do_not_count(method, size):
    weights = np.r_[RNG.random(300), np.zeros(50)]
    extended = np.r_[A, size * RNG.standard_normal((50, 6))]
    targets = np.r_[B, size * RNG.standard_normal((50, 2))]
    options = {"method": method, "rng": 0, "sketch_size": 40}
    found = lstsq(extended, targets, sample_weight=weights, **options)
    removed = lstsq(A, B, sample_weight=weights[:300], **options)
    np.testing.assert_allclose(found.x, removed.x, rtol=1e-10)


@pytest.mark.parametrize("size", [1e-305, 1e-200, 1e200, 1e300])
def test_weights_of_any_size(size):
    weights = RNG.random(300)
    expected = lstsq(A, B, sample_weight=weights)
    found = lstsq(A, B, sample_weight=size * weights)
    np.testing.assert_allclose(found.x, expected.x, rtol=1e-9)
    np.testing.assert_allclose(
        found.residual_norms, expected.residual_norms * np.sqrt(size), rtol=1e-9
    )


# Scales


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1e170, 1e300])
def test_data_whose_squares_overflow_or_vanish(method, scale):
    expected = lstsq(A, B, method=method, rng=0)
    for left, right in ((scale, 1.0), (1.0, scale), (scale, scale)):
        found = lstsq(A * left, B * right, method=method, rng=0)
        np.testing.assert_allclose(found.x / right * left, expected.x, rtol=1e-9)
        np.testing.assert_allclose(found.residual_norms / right, expected.residual_norms, rtol=1e-9)
        assert found.condition_number == pytest.approx(expected.condition_number)
        assert found.converged


def test_columns_of_all_sizes_at_once():
    scale = 10.0 ** np.array([-300, -150, 0, 5, 150, 300])
    for method in ANY_CONDITION:
        found = lstsq(A * scale, B, method=method, rng=0).x
        np.testing.assert_allclose(found * scale[:, None], lstsq(A, B).x, rtol=1e-9)


def test_targets_of_all_sizes_at_once():
    found = lstsq(A, B * [1e-200, 1e200]).x
    np.testing.assert_allclose(found / [1e-200, 1e200], lstsq(A, B).x, rtol=1e-9)


# Precision


def test_many_rows_of_float32():
    """Cut-offs that grow with the rows leave nothing of these columns."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((700_000, 8), dtype=np.float32)
    y = X @ np.arange(1.0, 9.0, dtype=np.float32) + rng.standard_normal(700_000, dtype=np.float32)
    result = lstsq(X, y)
    exact = np.linalg.solve(
        X.T.astype(np.float64) @ X.astype(np.float64), X.T.astype(np.float64) @ y.astype(np.float64)
    )
    assert result.x.dtype == np.float32
    assert result.rank == 8
    np.testing.assert_allclose(result.x, exact, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "float16", "longdouble"])
def test_other_numbers_are_converted(dtype):
    matrix = (A * 10).astype(dtype)
    found = lstsq(matrix, B, rng=0).x
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, lstsq(matrix.astype(np.float64), B, rng=0).x)


# Layouts, threads, targets


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", METHODS)
def test_layout_does_not_matter(method, dtype, tmp_path):
    data = A.astype(dtype)
    expected = lstsq(data, B, method=method, rng=0)
    assert expected.x.dtype == dtype
    for name, form in dense_forms(data, tmp_path).items():
        kept = pickle.dumps((form, B))
        found = lstsq(form, B, method=method, rng=0)
        np.testing.assert_array_equal(found.x, expected.x, err_msg=name)
        assert pickle.dumps((form, B)) == kept, name


@pytest.mark.parametrize("method", METHODS)
def test_sparse_layout_does_not_matter(method):
    data = A * (RNG.random(A.shape) < 0.5)
    forms = sparse_forms(data)
    expected = lstsq(forms["csr array"], B, method=method, rng=0)
    if method != "sketch":
        np.testing.assert_allclose(expected.x, lstsq(data, B, method=method, rng=0).x, rtol=1e-10)
    for name, form in forms.items():
        kept = pickle.dumps(form)
        found = lstsq(form, B, method=method, rng=0)
        np.testing.assert_array_equal(found.x, expected.x, err_msg=name)
        assert pickle.dumps(form) == kept, name


def test_targets_in_any_layout(tmp_path):
    expected = lstsq(A, B)
    for name, form in dense_forms(B, tmp_path).items():
        np.testing.assert_array_equal(lstsq(A, form).x, expected.x, err_msg=name)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("method", METHODS)
def test_bits_do_not_depend_on_threads(method, form):
    X, y = one_hot(20_000, 5)
    one, two, three = (
        lstsq(form(X), y, method=method, n_jobs=n_jobs, rng=0, sample_weight=1 + abs(y))
        for n_jobs in (1, 2, 3)
    )
    for other in (two, three):
        np.testing.assert_array_equal(one.x, other.x)
        np.testing.assert_array_equal(one.history, other.history)


@pytest.mark.parametrize("method", EXACT)
def test_targets_one_by_one(method):
    together = lstsq(A, B, method=method, rng=0)
    for t in range(2):
        alone = lstsq(A, B[:, t], method=method, rng=0)
        assert alone.x.shape == (6,)
        assert isinstance(alone.residual_norms, float)
        np.testing.assert_allclose(together.x[:, t], alone.x, rtol=1e-12)
        assert together.residual_norms[t] == pytest.approx(alone.residual_norms)


def test_result():
    result = lstsq(A, B)
    assert result.n_passes == 1 + len(result.history)
    assert result.n_iter == len(result.history) - 1
    assert result.backward_error == min(result.history) < 1e-15
    assert lstsq(A, B, method="sketch", sketch_size=50).backward_error is None
    with pytest.raises(TypeError):
        tuple(result)


def test_zero_targets():
    for method in METHODS:
        result = lstsq(A, 0 * B, method=method)
        assert not result.x.any()
        assert result.converged


# Sketch and solve


@pytest.mark.parametrize("sketch", ["srht", "gaussian", "sparse_sign", "countsketch"])
def test_sketch_and_solve(sketch):
    A, b, x = haar(5000, 10, 100, 1.0)
    exact = lstsq(A, b).x
    results = [
        lstsq(A, b, method="sketch", sketch=sketch, sketch_size=m, rng=0) for m in (100, 1000)
    ]
    distances = [np.linalg.norm(A @ (result.x - exact)) for result in results]
    assert 1e-6 < distances[1] < 0.4
    assert distances[0] < 1.2
    assert all(result.n_passes == 1 and result.method == "sketch" for result in results)


def test_a_sketch_with_as_many_rows_is_the_rows():
    np.testing.assert_allclose(
        lstsq(A, B, method="sketch", sketch_size=300).x, lstsq(A, B).x, rtol=1e-12
    )
    assert error(lstsq(A, B, method="sketch", sketch_size=299).x, lstsq(A, B).x) > 1e-6


def test_promise_of_the_dense_sketch():
    """No more than a share delta of the draws is farther off than told."""
    A, b, _ = haar(4000, 8, 10, 1.0)
    exact, singular = lstsq(A, b).x, np.linalg.svd(A, compute_uv=False)
    bound = 0.5 / np.sqrt(8) * np.linalg.norm(b - A @ exact) / singular[-1]
    off = [
        abs(lstsq(A, b, method="sketch", eps=0.5, delta=0.1, rng=seed).x - exact).max()
        for seed in range(40)
    ]
    assert max(off) > 0
    assert np.mean(np.array(off) > bound) <= 0.1


# Properties

problems = st.tuples(st.integers(1, 12), st.integers(1, 5), st.integers(1, 2)).flatmap(
    lambda sizes: st.tuples(
        integers((sizes[0], sizes[1]), -4, 4),
        integers((sizes[0], sizes[2]), -50, 50),
        integers(sizes[0], 0, 3),
    )
)


@given(problems, st.sampled_from(ANY_CONDITION), st.booleans())
def test_whatever_the_problem(problem, method, as_sparse):
    """Normal equations, least norm, rank and residual, from the definition."""
    X, y, weights = (array.astype(float) for array in problem)
    weights[0] += not weights.any()
    form = sparse.csr_array(X) if as_sparse else X
    result = lstsq(form, y, method=method, sample_weight=weights, rng=0)
    expected, _ = naive.lstsq(X, y, weights)
    np.testing.assert_allclose(result.x, expected, atol=1e-8 * (1 + abs(expected).max()))
    residual = y - X @ result.x
    np.testing.assert_allclose(X.T @ (weights[:, None] * residual), 0, atol=1e-8)
    assert result.rank == np.linalg.matrix_rank(np.sqrt(weights)[:, None] * X)
    norms = np.sqrt(weights @ residual**2)
    np.testing.assert_allclose(result.residual_norms, norms, atol=1e-6)


@given(problems, st.sampled_from(ANY_CONDITION), st.lists(st.integers(-40, 40), min_size=5))
def test_units_are_free(problem, method, exponents):
    """Columns times powers of two, where no coefficient is chosen by its norm."""
    X, y, _ = (array.astype(float) for array in problem)
    X = np.vstack([X, 5 * np.eye(X.shape[1])])
    y = np.vstack([y, np.ones((X.shape[1], y.shape[1]))])
    scale = 2.0 ** np.array(exponents[: X.shape[1]])
    one, other = (lstsq(matrix, y, method=method, rng=0).x for matrix in (X, X * scale))
    np.testing.assert_allclose(other * scale[:, None], one, rtol=1e-9, atol=1e-12)


@given(problems, st.permutations(range(12)))
def test_order_of_rows_is_free(problem, order):
    X, y, weights = (array.astype(float) for array in problem)
    weights += 1
    order = [i for i in order if i < len(X)]
    one = lstsq(X, y, sample_weight=weights).x
    other = lstsq(X[order], y[order], sample_weight=weights[order]).x
    np.testing.assert_allclose(other, one, atol=1e-9 * (1 + abs(one).max()))


# Real data


@pytest.mark.parametrize("method", [*ANY_CONDITION])
def test_cubic_features(housing, method):
    """Condition 8e17, and 5e7 for columns of norm one: a cut-off on the former loses 2 %."""
    A, y = housing
    assert A.shape == (20640, 169)
    norms = np.linalg.norm(A, axis=0)
    reference = linalg.lstsq(A / norms, y, lapack_driver="gelsy")[0]
    result = lstsq(A, y, method=method, rng=0)
    assert result.rank == 169
    residual = np.linalg.norm(y - A @ result.x)
    assert residual == pytest.approx(np.linalg.norm(y - A / norms @ reference), rel=1e-11)
    fitted = np.linalg.norm(A / norms @ (result.x * norms - reference))
    assert fitted < 1e-9 * np.linalg.norm(y)
    lost = np.linalg.norm(y - A @ np.linalg.lstsq(A, y)[0])
    assert lost > 1.01 * residual


def test_signature_is_that_of_a_peer():
    assert list(inspect.signature(lstsq).parameters)[:2] == ["A", "b"]


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_all_levels_of_categories_keep_the_normal_equations(form, fit_intercept):
    rng = np.random.default_rng(0)
    levels = [np.eye(k)[rng.integers(0, k, 3000)] for k in (3, 7)]
    X = np.hstack([rng.normal(size=(3000, 2)), *levels])
    y = X @ rng.normal(size=12) + rng.normal(size=3000)
    model = SketchedLinearRegression(fit_intercept=fit_intercept).fit(form(X), y)
    expected = LinearRegression(fit_intercept=fit_intercept, tol=1e-12).fit(X, y)
    assert model.method_ == "csne"
    assert model.rank_ == expected.rank_ == 11 - fit_intercept
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-12)


@pytest.mark.parametrize("apart", [1e-9, 1e-11, 1e-13])
def test_nearly_dependent_columns_are_no_dependent_ones(apart):
    A = np.random.default_rng(0).normal(size=(3000, 6))
    A[:, 5] = A[:, 4] + apart * A[:, 5]
    result = lstsq(A, A.sum(axis=1), rng=0)
    assert result.method == "presketch"
    assert result.rank == 6


@pytest.mark.parametrize("method", ["auto", "csne", "qr", "presketch", "spir"])
@pytest.mark.filterwarnings("ignore:the data are too ill conditioned")
def test_rcond_beside_a_dependent_column(method):
    A, b, _ = haar(3000, 6, 1e4, 1e-3)
    assert lstsq(np.column_stack([A, A[:, 0]]), b, rcond=1e-3, method=method, rng=0).rank == 4


def test_sketches_of_few_columns_keep_their_rank():
    A = np.zeros((1000, 2))
    A[:2] = [[1, 1], [0, 1e-9]]
    assert all(lstsq(A, A.sum(axis=1), rng=seed).rank == 2 for seed in range(200))


def test_weights_that_leave_few_rows_in_a_row():
    X = np.random.default_rng(0).normal(size=(1000, 3))
    weights = np.zeros(1000)
    weights[100:130] = 1
    found = SketchedLinearRegression().fit(X, X.sum(axis=1), weights)
    np.testing.assert_allclose(found.coef_, 1)


@pytest.mark.parametrize("small", [1e-90, 1e-120])
def test_least_norm_beside_a_tiny_column(small):
    a = np.random.default_rng(0).normal(size=100)
    found = lstsq(np.column_stack([a, small * a]), a).x
    np.testing.assert_allclose(found, [1, small])


@pytest.mark.parametrize("method", ["spir", "fossils"])
def test_iterations_with_the_smallest_sketch(method):
    A, b = (
        np.random.default_rng(0).normal(size=(2000, 20)),
        np.random.default_rng(0).normal(size=2000),
    )
    found = lstsq(A, b, method=method, sketch_size=20, rng=0)
    np.testing.assert_allclose(found.x, linalg.lstsq(A, b)[0], atol=1e-12)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_threads_of_blas_do_not_matter(run_python, method):
    code = f"""
import numpy as np
from lowrank_la.linear_model import lstsq
rng = np.random.default_rng(0)
A = rng.normal(size=(3000, 250)) * np.logspace(0, 9, 250)
print(lstsq(A, A.sum(axis=1) + rng.normal(size=3000), method={method!r}, rng=0).x.tobytes().hex())
"""
    assert len({run_python("-c", code, OPENBLAS_NUM_THREADS=n) for n in "12"}) == 1
