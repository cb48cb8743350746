"""Randomly pivoted Cholesky: what every approximation is, the law of pivots, hard cases, errors."""

import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, sparse, stats
from scipy.sparse.linalg import LinearOperator, cg
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.metrics.pairwise import pairwise_kernels

from lowrank_la.decomposition import rp_cholesky
from tests.layouts import dense_forms
from tests.reference import rp_cholesky as reference
from tests.strategies import integers

pytestmark = pytest.mark.filterwarnings("ignore:k=.* is more than the rank:UserWarning")
close = np.testing.assert_allclose
RNG = np.random.default_rng(0)
X = RNG.normal(size=(700, 3))
GRAM = X[:40] @ X[:40].T
block_sizes = st.sampled_from([None, 1, 2, 7])
every_block_size = pytest.mark.parametrize("block_size", [None, 1, 3, 50])


@st.composite
def gram_matrices(draw, max_n=10):
    """Gram matrices of small integers, of any rank; their entries are exact."""
    n, rank = draw(st.integers(1, max_n)), draw(st.integers(1, 4))
    G = draw(integers((n, rank), -3, 3)).astype(np.float64)
    return G @ G.T


def spectrum(values, seed=0):
    """A matrix with these eigenvalues."""
    Q = linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))[0]
    return Q * values @ Q.T


# What every approximation is


@given(gram_matrices(), st.integers(1, 12), block_sizes, st.integers(0, 99))
def test_the_factor_is_that_of_cholesky_with_these_pivots(A, k, block_size, seed):
    found = rp_cholesky(A, k, block_size=block_size, rng=seed)
    assert len(set(found.pivots)) == len(found.pivots) == min(k, np.linalg.matrix_rank(A))
    close(found.factor, reference.factor(A, found.pivots), atol=1e-9)
    close(found.residual_diagonal, reference.residual_diagonal(A, found.pivots), atol=1e-9)
    assert found.n_iter == len(found.history)


@given(gram_matrices(), st.integers(1, 12), block_sizes, st.integers(0, 99))
def test_the_residual_is_positive_semi_definite_and_shrinks(A, k, block_size, seed):
    found = rp_cholesky(A, k, block_size=block_size, rng=seed)
    residual = A - found.factor @ found.factor.T
    assert np.linalg.eigvalsh(residual).min() >= -1e-12 * max(1.0, A.max())
    assert (found.residual_diagonal >= 0).all()
    assert (found.residual_diagonal[found.pivots] == 0).all()
    close(found.residual_diagonal, np.diagonal(residual), atol=1e-12 * max(1.0, A.max()))
    assert (np.diff(found.history) <= 0).all()
    if A.any():
        close(found.trace_error, found.residual_diagonal.sum() / np.trace(A), rtol=1e-12)


@given(gram_matrices(), block_sizes, st.integers(0, 99))
def test_exact_at_full_rank(A, block_size, seed):
    found = rp_cholesky(A, len(A), block_size=block_size, rng=seed)
    close(found.factor @ found.factor.T, A, atol=1e-12 * max(1.0, A.max()))
    assert found.converged
    assert found.trace_error <= 1e-14


@given(gram_matrices(), st.integers(1, 8), block_sizes, st.sampled_from([-480, -30, 30, 480]))
def test_units_do_not_matter(A, k, block_size, exponent):
    one = rp_cholesky(A, k, block_size=block_size, rng=0)
    other = rp_cholesky(np.ldexp(A, exponent), k, block_size=block_size, rng=0)
    np.testing.assert_array_equal(other.pivots, one.pivots)
    np.testing.assert_array_equal(other.factor, np.ldexp(one.factor, exponent // 2))
    np.testing.assert_array_equal(other.history, one.history)


@given(gram_matrices(), st.integers(1, 8), block_sizes, st.integers(0, 99))
def test_single_precision(A, k, block_size, seed):
    found = rp_cholesky(A.astype(np.float32), k, block_size=block_size, rng=seed)
    assert found.factor.dtype == np.float32
    assert found.residual_diagonal.dtype == np.float64
    assert len(set(found.pivots)) == len(found.pivots)
    F = found.factor.astype(np.float64)
    close(np.diagonal(A - F @ F.T), found.residual_diagonal, atol=1e-5 * max(1.0, A.max()))


# The law of pivots

SKEWED = spectrum([4.0, 1.0, 0.3, 0.05])


def draws(A, k, n_draws=4000, **options):
    found = {}
    for seed in range(n_draws):
        pivots = tuple(map(int, rp_cholesky(A, k, rng=seed, **options).pivots))
        found[pivots] = found.get(pivots, 0) + 1
    return found


def fit_of_law(counts, law):
    """Probability of counts as far from a law, by chi-square; those that are rare together."""
    n_draws = sum(counts.values())
    common = [pivots for pivots, share in law.items() if share * n_draws >= 5]
    observed = [counts.get(pivots, 0) for pivots in common]
    expected = [law[pivots] * n_draws for pivots in common]
    rest = n_draws - sum(expected)
    if rest >= 5:
        observed, expected = [*observed, n_draws - sum(observed)], [*expected, rest]
    scale = sum(observed) / sum(expected)
    return stats.chisquare(observed, np.array(expected) * scale).pvalue


@pytest.mark.parametrize("block_size", [None, 1, 2, 30])
def test_pivots_have_the_law_of_pivots_drawn_one_by_one(block_size):
    counts = draws(SKEWED, 3, block_size=block_size)
    assert fit_of_law(counts, reference.law(SKEWED, 3)) > 1e-3


def test_the_law_is_told_from_others():
    """From that of pivots drawn in proportion to the diagonal that there was at the beginning."""
    share = np.diagonal(SKEWED) / np.trace(SKEWED)
    static = {
        (i, j, k): share[i] * share[j] / (1 - share[i]) * share[k] / (1 - share[i] - share[j])
        for i, j, k in reference.law(SKEWED, 3)
    }
    assert fit_of_law(draws(SKEWED, 3), static) < 1e-6


@every_block_size
def test_the_expected_error_is_as_proven(block_size):
    """1 + eps times the best error of rank r with r / eps + r log(1 / (eps eta)) pivots."""
    values = np.r_[np.ones(3), 0.02 * 0.9 ** np.arange(97)]
    A, eps, best = spectrum(values), 1.0, values[3:].sum() / values.sum()
    k = int(np.ceil(3 / eps + 3 * np.log(1 / (eps * best))))
    found = [rp_cholesky(A, k, rng=seed, block_size=block_size).trace_error for seed in range(40)]
    assert np.mean(found) <= (1 + eps) * best


# Where entries come from

KERNELS = {
    "rbf": {"gamma": 0.2},
    "laplacian": {"gamma": 0.2},
    "polynomial": {"gamma": 0.2, "degree": 2, "coef0": 1.5},
    "linear": {},
    "cosine": {},
    "chi2": {"gamma": 0.3},
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_are_as_their_matrices(kernel, dtype):
    points = np.abs(X).astype(dtype)
    K = pairwise_kernels(points.astype(np.float64), metric=kernel, **KERNELS[kernel])
    found = rp_cholesky(points, 30, kernel=kernel, rng=0, **KERNELS[kernel])
    assert found.factor.dtype == dtype
    scale = np.finfo(dtype).eps * np.diagonal(K).max()
    expected = reference.factor(K, found.pivots)
    close(found.factor @ found.factor.T, expected @ expected.T, atol=300 * scale)
    close(found.residual_diagonal, np.diagonal(K - expected @ expected.T), atol=300 * scale)
    if dtype == np.float64:
        np.testing.assert_array_equal(found.pivots, rp_cholesky(K, 30, rng=0).pivots)


@pytest.mark.parametrize("kernel", ["rbf", "polynomial", "linear"])
def test_sparse_points(kernel):
    points = sparse.random(300, 20, 0.2, random_state=0)
    expected = rp_cholesky(points.toarray(), 40, kernel=kernel, rng=0)
    for form in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array):
        found = rp_cholesky(form(points), 40, kernel=kernel, rng=0)
        close(found.factor, expected.factor, atol=1e-7)


def test_functions_and_gaussian_processes():
    expected = rp_cholesky(X[:200], 30, kernel="rbf", gamma=0.5, rng=0)

    def kernel(x, y, width):
        return np.exp(-((x - y) ** 2).sum() / (2 * width**2))

    found = rp_cholesky(X[:200], 30, kernel=kernel, kernel_params={"width": 1.0}, rng=0, n_jobs=2)
    close(found.factor, expected.factor, atol=1e-9)
    close(rp_cholesky(X[:200], 30, kernel=RBF(), rng=0).factor, expected.factor, atol=1e-9)
    noisy = rp_cholesky(X[:200], 30, kernel=RBF() + WhiteKernel(), rng=0)
    close(noisy.factor, expected.factor, atol=1e-9)  # noise is not shared, not even with oneself


def test_one_over_the_number_of_features_is_the_default():
    expected = rp_cholesky(X, 9, kernel="rbf", gamma=1 / 3, rng=0)
    np.testing.assert_array_equal(rp_cholesky(X, 9, kernel="rbf", rng=0).factor, expected.factor)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_layout(dtype, tmp_path):
    expected = rp_cholesky(GRAM.astype(dtype), 3, rng=0)
    for name, form in dense_forms(GRAM.astype(dtype), tmp_path).items():
        before = np.array(form)
        found = rp_cholesky(form, 3, rng=0)
        np.testing.assert_array_equal(found.pivots, expected.pivots, err_msg=name)
        close(found.factor, expected.factor, rtol=1e-5, atol=1e-6, err_msg=name)
        np.testing.assert_array_equal(form, before)
    whole = np.round(3 * X[:40]).astype(int)
    exact = rp_cholesky((whole @ whole.T).astype(float), 3, rng=0).factor
    np.testing.assert_array_equal(rp_cholesky(whole @ whole.T, 3, rng=0).factor, exact)


@pytest.mark.parametrize("order", ["C", "F"])
def test_only_rows_of_pivots_are_read(order):
    K = pairwise_kernels(X[:50], metric="rbf")
    K = K + K.T  # symmetric to the last bit
    expected = rp_cholesky(K, 5, rng=0, block_size=1)
    others = np.setdiff1d(np.arange(50), expected.pivots)
    hidden = K.copy(order=order)
    hidden[np.ix_(others, others)] = np.nan
    hidden[others, others] = K[others, others]
    found = rp_cholesky(hidden, 5, rng=0, block_size=1)
    np.testing.assert_array_equal(found.factor, expected.factor)


def test_matrices_need_no_scikit_learn(run_python):
    code = "import sys, numpy as np; from lowrank_la.decomposition import rp_cholesky\n"
    code += "rp_cholesky(np.eye(3), 2, rng=0); print('sklearn' in sys.modules)"
    assert run_python("-c", code).split() == ["False"]


def test_memory_is_that_of_the_factor():
    points = np.random.default_rng(0).normal(size=(30_000, 4))
    rp_cholesky(points[:1000], 10, kernel="rbf", rng=0)
    tracemalloc.start()
    found = rp_cholesky(points, 100, kernel="rbf", rng=0, n_jobs=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.3 * found.factor.nbytes


# Reproducible


@pytest.mark.parametrize("options", [{"kernel": "rbf"}, {"kernel": "laplacian"}, {}])
def test_threads_do_not_matter(options):
    points = np.random.default_rng(0).normal(size=(1500, 3))
    A = points if options else pairwise_kernels(points, metric="rbf")
    one, *others = (rp_cholesky(A, 200, rng=0, n_jobs=n, **options) for n in (1, 2, 3, -1))
    for other in others:
        np.testing.assert_array_equal(other.pivots, one.pivots)
        np.testing.assert_array_equal(other.factor, one.factor)
        np.testing.assert_array_equal(other.residual_diagonal, one.residual_diagonal)


def test_seeds():
    K = pairwise_kernels(X, metric="rbf")
    one, two = (rp_cholesky(K, 9, rng=seed).pivots for seed in (0, 1))
    assert list(one) != list(two)
    np.testing.assert_array_equal(rp_cholesky(K, 9, rng=np.random.default_rng(0)).pivots, one)
    state = np.random.RandomState(0)
    assert list(rp_cholesky(K, 9, rng=state).pivots) != list(rp_cholesky(K, 9, rng=state).pivots)


# Ranks, tolerances, callbacks


@every_block_size
def test_fewer_pivots_than_wanted_are_told(block_size):
    with pytest.warns(UserWarning, match="k=20 is more than the rank: .* 3 pivots"):
        found = rp_cholesky(GRAM, 20, rng=0, block_size=block_size)
    assert found.factor.shape == (40, 3)
    assert found.converged


def test_no_warning_where_there_is_no_reason():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not rp_cholesky(GRAM, 2, rng=0).converged
        assert rp_cholesky(GRAM, 3, rng=0).converged
        assert rp_cholesky(GRAM, 40, rng=0, tol=0.9).converged


@every_block_size
def test_tolerance(block_size):
    K = pairwise_kernels(X, metric="rbf", gamma=0.1)
    found = rp_cholesky(K, 400, tol=1e-3, rng=0, block_size=block_size)
    assert found.converged
    assert found.trace_error <= 1e-3
    assert (found.history[:-1] > 1e-3).all()
    assert len(found.pivots) < 400
    with pytest.warns(ConvergenceWarning, match="tol=0.001; increase k"):
        assert not rp_cholesky(K, 5, tol=1e-3, rng=0, block_size=block_size).converged


def test_callback():
    told = []
    found = rp_cholesky(X, 60, kernel="rbf", rng=0, callback=told.append)
    assert [info["trace_error"] for info in told] == list(found.history)
    assert told[-1]["n_pivots"] == 60
    stopped = rp_cholesky(X, 60, kernel="rbf", rng=0, callback=lambda info: info["n_pivots"] > 20)
    assert 20 < len(stopped.pivots) < 60
    np.testing.assert_array_equal(stopped.factor, found.factor[:, : len(stopped.pivots)])


# Hard cases


@pytest.mark.parametrize("scale", [1e150, 1e-150, 1e-300])
def test_scales(scale):
    found = rp_cholesky(GRAM * scale, 40, rng=0)
    assert len(found.pivots) == 3
    close(found.factor @ found.factor.T, GRAM * scale, atol=1e-13 * scale, rtol=1e-13)


def test_nothing_and_next_to_nothing():
    for options in ({}, {"kernel": "linear"}):
        nothing = rp_cholesky(np.zeros((4, 4)), 2, rng=0, **options)
        assert nothing.factor.shape == (4, 0)
        assert nothing.converged
        assert nothing.trace_error == 0.0
    one = rp_cholesky(np.array([[4.0]]), 1, rng=0)
    assert one.factor.tolist() == [[2.0]]
    assert rp_cholesky(X[:1], 1, kernel="rbf").factor.tolist() == [[1.0]]
    assert sorted(rp_cholesky(np.diag([1.0, 1e-200, 0.0]), 3, rng=0).pivots) == [0, 1]


@every_block_size
def test_equal_points(block_size):
    points = np.repeat(X[:6], 30, axis=0)
    found = rp_cholesky(points, 100, kernel="rbf", rng=0, block_size=block_size)
    assert sorted(found.pivots // 30) == list(range(6))
    close(found.factor @ found.factor.T, pairwise_kernels(points, metric="rbf"), atol=1e-14)


@every_block_size
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hilbert_and_smooth_kernels(dtype, block_size):
    """Of no rank but that of rounding: no error, no pivot twice, and no more left than told."""
    smooth = pairwise_kernels(X[:300], metric="rbf", gamma=0.01)
    for A in (linalg.hilbert(80), smooth, spectrum(np.logspace(0, -20, 60))):
        for seed in range(3):
            found = rp_cholesky(A.astype(dtype), len(A), rng=seed, block_size=block_size)
            assert len(set(found.pivots)) == len(found.pivots) < len(A)
            F = found.factor.astype(np.float64)
            assert np.abs(A - F @ F.T).max() <= 3e3 * np.finfo(dtype).eps


def test_full_rank():
    A = spectrum(np.linspace(1, 2, 50))
    found = rp_cholesky(A, 50, rng=0)
    assert sorted(found.pivots) == list(range(50))
    lower = found.factor[found.pivots]
    close(np.triu(lower, 1), 0, atol=1e-14)
    close(lower, linalg.cholesky(A[np.ix_(found.pivots, found.pivots)], lower=True), atol=1e-14)


# Errors


def with_entry(A, i, j, value):
    A = A.copy()
    A[i, j] = A[j, i] = value
    return A


@every_block_size
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_entries_that_are_not_finite(value, block_size):
    for i, j in [(0, 0), (3, 17), (39, 38)]:
        with pytest.raises(ValueError, match=r"A has .*(NaN|infinite)"):
            rp_cholesky(with_entry(spectrum(np.ones(40)), i, j, value), 40, block_size=block_size)
    points = with_entry(X[:3], 1, 2, value)
    for kernel in ("rbf", "laplacian"):
        with pytest.raises(ValueError, match="A has entries that are NaN or infinite"):
            rp_cholesky(points, 2, kernel=kernel)
        with pytest.raises(ValueError, match="A has entries that are NaN or infinite"):
            rp_cholesky(sparse.csr_array(points), 2, kernel=kernel)


@every_block_size
def test_what_is_not_positive_semi_definite_names_a_pivot(block_size):
    A = spectrum(np.linspace(1, 2, 30))
    with pytest.raises(ValueError, match="not positive semi-definite: its diagonal is -1 in row 7"):
        rp_cholesky(with_entry(A, 7, 7, -1.0), 5)
    bad = with_entry(A, 4, 9, 5.0)
    message = r"A is not positive semi-definite: with pivot (\d+), .* is -[\d.]+ in row (\d+)"
    for seed in range(5):
        with pytest.raises(ValueError, match=message) as error:
            rp_cholesky(bad, 30, rng=seed, block_size=block_size)
        assert {" pivot 4," in str(error.value), " pivot 9," in str(error.value)} == {True, False}
    with pytest.raises(ValueError, match="with pivot 0, .* is -1 in row 1"):
        rp_cholesky([[1.0, 1.0], [1.0, 0.0]], 2, block_size=block_size)
    with pytest.raises(ValueError, match="A is not positive semi-definite"):
        rp_cholesky(X, 300, kernel="sigmoid", gamma=1.0, coef0=-1.0, block_size=block_size)


def test_a_diagonal_of_zeros():
    """Of a positive semi-definite matrix, it is that of zeros alone: others are refused."""
    message = "A is not positive semi-definite: its diagonal is zero"
    for A in ([[0.0, 1.0], [1.0, 0.0]], np.ones((300, 300)) - np.eye(300)):
        with pytest.raises(ValueError, match=message):
            rp_cholesky(A, 2)
    with pytest.raises(ValueError, match=message):
        rp_cholesky(np.abs(X), 5, kernel="additive_chi2")
    with pytest.warns(UserWarning, match="k=2 is more than the rank: .* 0 pivots"):
        found = rp_cholesky(np.zeros((4, 4)), 2)
    assert found.factor.shape == (4, 0) and found.converged and found.trace_error == 0


@pytest.mark.parametrize(
    "A",
    [
        np.ones((2, 3)), np.ones(4), np.ones((0, 0)), np.ones((2, 2, 2)), [[1, 2], [3]], None, "A",
        np.ones((2, 2), complex), np.full((2, 2), "a"), sparse.eye_array(3), np.full((2, 2), 1e308),
    ],
)  # fmt: skip
def test_what_is_no_matrix(A):
    with pytest.raises(ValueError, match=r"\bA\b"):
        rp_cholesky(A, 1)


@pytest.mark.parametrize(
    "A", [np.ones(4), np.ones((0, 2)), np.ones((2, 0)), None, sparse.csr_array((0, 2))]
)
def test_what_are_no_points(A):
    for kernel in ("rbf", "linear"):
        with pytest.raises(ValueError, match=r"\bA\b"):
            rp_cholesky(A, 1, kernel=kernel)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("k", [0, -1, 2.0, True, None, "3"]),
        ("kernel", ["gauss", None, 3, ["rbf"]]),
        ("gamma", [-1, np.nan, np.inf, "scale", True]),
        ("degree", [0, -2, "two", np.inf]),
        ("coef0", ["zero", np.nan, np.inf]),
        ("kernel_params", [3, [("gamma", 1)]]),
        ("tol", [-1, np.nan, np.inf, "small", None, True]),
        ("block_size", [0, -3, 1.5, True, "auto"]),
        ("n_jobs", [0, 1.5, True]),
        ("device", ["gpu", 0]),
        ("rng", ["seed", -1, 1.5]),
    ],
)
def test_other_arguments(name, values):
    for value in values:
        options = {"k": 2, "kernel": "rbf", name: value}
        with pytest.raises(ValueError, match=rf"\b{name}\b"):
            rp_cholesky(X[:5], **options)


def test_parameters_by_another_way():
    expected = rp_cholesky(X, 9, kernel="rbf", gamma=0.2, rng=0).factor
    found = rp_cholesky(X, 9, kernel="rbf", kernel_params={"gamma": 0.2}, rng=0).factor
    np.testing.assert_array_equal(found, expected)
    for gamma in (-1.0, "scale"):
        with pytest.raises(ValueError, match=r"\bgamma="):
            rp_cholesky(X, 9, kernel="rbf", kernel_params={"gamma": gamma})


def test_parameters_of_what_has_none():
    for kernel in ("precomputed", lambda x, y: 1.0):
        with pytest.raises(ValueError, match="gamma, coef0"):
            rp_cholesky(GRAM, 1, kernel=kernel, gamma=1.0, coef0=0.0)
    rp_cholesky(X, 1, kernel="rbf", degree=3, coef0=0.0)  # as scikit-learn: others are ignored


def test_functions_that_fail():
    for kernel in (lambda x, y: x - y, lambda x: 1.0, lambda x, y: "one"):
        with pytest.raises(ValueError, match="kernel=.* must return a number for two rows"):
            rp_cholesky(X[:9], 2, kernel=kernel)
    with pytest.raises(ValueError, match="A has .*NaN"):
        rp_cholesky(X[:9], 9, kernel=lambda x, y: 1.0 if x[0] == y[0] else np.nan)
    with pytest.raises(ValueError, match="A has NaN"):
        rp_cholesky(X[:9], 9, kernel=lambda x, y: None)
    with pytest.raises(ZeroDivisionError):
        rp_cholesky(X[:9], 2, kernel=lambda x, y: 1 / 0)


# What it is for


def test_preconditioner():
    """Conjugate gradients for kernel ridge regression, as the docstring says."""
    points, lam = np.random.default_rng(0).normal(size=(1500, 2)), 1e-3
    K = pairwise_kernels(points, metric="rbf", gamma=0.5)
    F = rp_cholesky(points, 120, kernel="rbf", gamma=0.5, rng=0).factor
    core = linalg.cho_factor(F.T @ F + lam * np.eye(F.shape[1]))
    M = LinearOperator(K.shape, lambda z: z - F @ linalg.cho_solve(core, F.T @ z))
    y, counts = np.sin(points[:, 0]), []
    for options in ({}, {"M": M}):
        steps = []
        solution, failed = cg(K + lam * np.eye(len(K)), y, rtol=1e-8, maxiter=5000,
                              callback=steps.append, **options)  # fmt: skip
        assert not failed
        counts.append(len(steps))
    close(K @ solution + lam * solution, y, atol=1e-6)
    assert counts[1] < 0.1 * counts[0]


def test_digits():
    points = load_digits().data / 16.0
    found = rp_cholesky(points, 300, kernel="rbf", gamma=0.1, rng=0)
    K = pairwise_kernels(points, metric="rbf", gamma=0.1)
    close(found.trace_error, np.trace(K - found.factor @ found.factor.T) / len(K), rtol=1e-9)
    values = np.linalg.eigvalsh(K)[::-1]
    assert found.trace_error < 2.5 * values[300:].sum() / len(K)


def test_housing(data_dir):
    """Seven times less than the error of as many uniform pivots, which is 1.1e-2."""
    table = np.genfromtxt(
        data_dir / "sketching" / "california_housing.csv.gz", delimiter=",", skip_header=1,
        usecols=range(8),
    )  # fmt: skip
    table = table[np.isfinite(table).all(axis=1)][:20_000]
    points = (table - table.mean(axis=0)) / table.std(axis=0)
    found = rp_cholesky(points, 800, kernel="rbf", gamma=1 / 8, rng=0)
    assert found.trace_error <= 1.65e-3
