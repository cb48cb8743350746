"""Losses that forgive gross errors: against their definition, and what they find."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from lowrank_la.completion import _cpu, _gross_errors, _losses
from lowrank_la.completion._altmin import alternate, spectral_start
from lowrank_la.completion._entries import arranged, moments
from lowrank_la.completion._factors import Model, factor_of
from lowrank_la.completion._losses import ROBUST, Loss
from lowrank_la.completion._robust import fit_robust
from tests.completion.problems import arranged_as_is, entries_of, low_rank, observed, ratings

close = np.testing.assert_allclose
losses = pytest.mark.parametrize("loss", ["huber", "l1"])


def corrupted(A, share, errors, size=10.0, noise=0.0, seed=1):
    """Some entries of a matrix as triples; a share of them is grossly wrong."""
    rows, columns, values = observed(A, share, seed, noise)
    rng = np.random.default_rng(seed + 1)
    wrong = rng.random(len(values)) < errors
    values[wrong] += size * rng.standard_normal(wrong.sum())
    return rows, columns, values


def arranged_in_units(triples, shape, weights=None, centred=False):
    rows, columns, values = triples
    mean, scale = moments(values, weights, centred)
    return arranged(rows, columns, values, weights, shape, mean, scale)


def fitted(entries, rank, loss="huber", **options):
    options = {"ridge": 0.0, "exponent": 0.5, "fit_bias": False, "tol": 1e-10, "max_iter": 300,
               "rng": np.random.default_rng(0), **options}  # fmt: skip
    model, n_iter, converged, history = fit_robust(entries, rank, loss=loss, **options)
    assert n_iter == len(history)
    return model, converged, history


def matrix(model, entries=None):
    """The whole matrix, in the units of the values if there are entries to tell them."""
    whole = model.rows.values @ model.columns.values.T
    whole = whole + model.rows.bias[:, None] + model.columns.bias
    return whole if entries is None else whole * entries.scale + entries.mean


def error_of(model, entries, A):
    return np.linalg.norm(matrix(model, entries) - A) / np.linalg.norm(A)


def numbers(model):
    return np.concatenate([
        model.rows.values.ravel(), model.rows.bias, model.columns.values.ravel(), model.columns.bias
    ])  # fmt: skip


# --- by the definition ---


def median(values, weights):
    """Least value that half of the weight does not exceed."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return values[order][np.searchsorted(total, total[-1] / 2)]


def loss_value(r, bend, factor, scale):
    delta = bend * scale
    return factor * np.where(np.abs(r) <= delta, r**2, 2 * delta * np.abs(r) - delta**2)


class Dense:
    """Reweighted least squares line by line, with every number where its definition puts it."""

    def __init__(self, entries, loss, ridge, exponent, fit_bias):
        self.rows, self.columns, self.values, self.weights = entries
        self.bend, self.factor = {"huber": (1.345, 1.0), "l1": (0.5, 2.0)}[loss]
        self.ridge, self.exponent, self.fit_bias = ridge, exponent, fit_bias
        middle = median(self.values, self.weights)
        cut = 3 * 1.4826 * median(np.abs(self.values - middle), self.weights)
        clipped = np.clip(self.values, middle - cut, middle + cut)
        self.ridge *= np.sqrt(np.average(clipped**2, weights=self.weights))
        self.scale = np.inf

    def residuals(self, model):
        return self.values - matrix(model)[self.rows, self.columns]

    def rescale(self, model):
        r = np.abs(self.residuals(model))
        self.scale = min(self.scale, 1.4826 * median(r, self.weights))

    def half_step(self, model, lines, others, other, mine):
        r = np.abs(self.residuals(model))
        delta = self.bend * self.scale
        weights = self.weights * self.factor * np.where(r > delta, delta / np.maximum(r, delta), 1)
        ones = np.ones((len(other), int(self.fit_bias)))
        design = np.hstack([other.values, ones])
        for i in range(len(mine)):
            e = lines == i
            A, w = design[others[e]], weights[e]
            ridge = self.ridge * self.weights[e].sum() ** self.exponent
            gram = A.T @ (w[:, None] * A) + ridge * np.eye(A.shape[1])
            x = np.linalg.solve(gram, A.T @ (w * (self.values[e] - other.bias[others[e]])))
            mine.values[i], mine.bias[i] = x[: mine.rank], x[mine.rank :].sum()

    def sweep(self, model):
        U, V = model.rows, model.columns
        self.half_step(model, self.columns, self.rows, U, V)
        self.half_step(model, self.rows, self.columns, V, U)
        self.rescale(model)

    def objective(self, model):
        r = self.residuals(model)
        total = np.sum(self.weights * loss_value(r, self.bend, self.factor, self.scale))
        for lines, factor in ((self.rows, model.rows), (self.columns, model.columns)):
            for i in range(len(factor)):
                size = np.sum(factor.values[i] ** 2) + factor.bias[i] ** 2
                total += self.ridge * self.weights[lines == i].sum() ** self.exponent * size
        return total


def noisy_problem(weighted, seed=3, shape=(30, 20)):
    rows, columns, values, weights = ratings(*shape, 300, seed, weighted)
    values += low_rank(*shape, 2, seed)[rows, columns]
    values[:20] *= 30
    return rows, columns, values, weights + (0.5 if weighted else 0.0)


@losses
@pytest.mark.parametrize(
    ("exponent", "fit_bias", "weighted"),
    [(0.0, False, False), (0.5, True, False), (0.5, True, True), (1.0, False, True)],
)
def test_sweeps_are_those_of_the_definition(loss, exponent, fit_bias, weighted):
    problem, ridge = noisy_problem(weighted), 0.7
    entries = arranged_as_is(problem, (30, 20))
    dense = Dense(problem, loss, ridge, exponent, fit_bias)
    expected = spectral_start(_losses.clipped(entries)[0], 2, np.random.default_rng(0))
    dense.rescale(expected)
    objectives = []
    for _ in range(4):
        dense.sweep(expected)
        objectives.append(dense.objective(expected))
    model, _, history = fitted(
        entries, 2, loss, ridge=ridge, exponent=exponent, fit_bias=fit_bias, max_iter=4, tol=0.0
    )
    close(history, objectives, rtol=1e-8)
    close(numbers(model), numbers(expected), rtol=1e-6, atol=1e-8)


@losses
@pytest.mark.parametrize("weighted", [False, True])
def test_the_end_is_stationary(loss, weighted):
    problem = noisy_problem(weighted)
    entries = arranged_as_is(problem, (30, 20))
    how = {"ridge": 1.0, "exponent": 0.5, "fit_bias": True}
    model, converged, history = fitted(entries, 2, loss, tol=1e-15, max_iter=3000, **how)
    assert converged
    dense = Dense(problem, loss, **how)
    dense.rescale(model)

    def excess(scale):
        dense.scale = scale
        return dense.objective(model) - history[-1]

    # it may have been less on the way than it is at the end
    dense.scale = optimize.brentq(excess, 0.5 * dense.scale, 1.001 * dense.scale, xtol=1e-14)
    rng = np.random.default_rng(5)
    for _ in range(5):
        changes = rng.standard_normal((30, 3)), rng.standard_normal((20, 3))
        ends = []
        for step in (1e-4, -1e-4):
            moved = [
                factor_of(f.values + step * change[:, :2], f.bias + step * change[:, 2])
                for f, change in zip((model.rows, model.columns), changes, strict=True)
            ]
            ends.append(dense.objective(Model(*moved)))
        slope = abs(ends[0] - ends[1]) / 2e-4
        assert slope <= 1e-3 * history[-1]


@losses
def test_the_loss_and_the_square_that_touches_it(loss):
    law = ROBUST[loss]
    r, scale = np.linspace(0, 9, 200), 1.3
    close(law.values(r, scale), loss_value(r, law.bend, law.factor, scale))
    at = np.linspace(0, 8, 33)[:, None]  # it touches there, and is above everywhere
    square = law.values(at, scale) + law.weights(at, scale) * (r**2 - at**2)
    assert (square >= law.values(r, scale) - 1e-12).all()


def test_a_loss_that_never_bends_is_the_square(monkeypatch):
    monkeypatch.setitem(ROBUST, "huber", Loss(1e6))
    A = np.cos(np.arange(40)[:, None] - 1.3 * np.arange(30))  # nothing to clip
    entries = arranged_in_units(observed(A, 0.5, noise=0.1), A.shape)
    how = {"ridge": 0.5, "exponent": 0.5, "fit_bias": True, "tol": 0.0, "max_iter": 60}
    model, _, history = fitted(entries, 3, **how)
    expected, _, objectives = alternate(
        entries, 3, np.random.default_rng(0), watch=lambda *_: False, **how
    )
    close(history[-1], objectives[-1], rtol=1e-6)
    close(matrix(model), matrix(expected), atol=1e-3)


# --- what it promises ---


@given(entries_of(), st.sampled_from(["huber", "l1"]), st.booleans(), st.booleans(),
       st.sampled_from([0.0, 1e-3, 1.0]), st.booleans())  # fmt: skip
def test_nothing_but_numbers(problem, loss, fit_bias, exact_data, ridge, nonnegative):
    shape, entries = problem
    if not entries[3].any():
        return
    model, _, history = fitted(
        arranged_as_is(entries, shape), min(2, *shape), loss, fit_bias=fit_bias, ridge=ridge,
        exact_data=exact_data and not nonnegative, nonnegative=nonnegative, max_iter=8,
    )  # fmt: skip
    assert np.isfinite(numbers(model)).all()
    assert np.isfinite(history).all()
    if nonnegative:
        assert (model.rows.values >= 0).all()
        assert (model.columns.values >= 0).all()


@losses
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rank", [3, 14])  # by Cholesky's method, and by conjugate gradients
def test_the_objective_falls(loss, dtype, rank):
    rows, columns, values, weights = ratings(90, 60, 2000, weighted=True)
    values[::10] += 40.0
    entries = arranged_as_is((rows, columns, values, weights), (90, 60), dtype)
    model, _, history = fitted(entries, rank, loss, ridge=0.5, fit_bias=True, tol=0.0, max_iter=40)
    slack = 1e-12 if dtype == np.float64 else 1e-5
    assert (np.diff(history) <= slack * np.array(history[1:])).all()
    assert model.rows.values.dtype == model.columns.bias.dtype == dtype


@losses
def test_gross_errors_in_noisy_data_hardly_matter(loss):
    A = low_rank(150, 120, 3)
    clean = arranged_in_units(observed(A, 0.4, noise=0.2), A.shape)
    wrong = arranged_in_units(corrupted(A, 0.4, 0.1, noise=0.2), A.shape)
    how = {"ridge": 0.05, "exponent": 0.5, "fit_bias": True, "tol": 1e-5, "max_iter": 200}
    by_squares = [
        alternate(entries, 3, np.random.default_rng(0), watch=lambda *_: False, **how)[0]
        for entries in (clean, wrong)
    ]
    least, squared = error_of(by_squares[0], clean, A), error_of(by_squares[1], wrong, A)
    model, converged, _ = fitted(wrong, 3, loss, **how)
    assert converged
    assert error_of(model, wrong, A) < 0.5 * squared
    assert error_of(model, wrong, A) < 1.4 * least
    unharmed, _, _ = fitted(clean, 3, loss, **how)
    assert error_of(unharmed, clean, A) < (1.1 if loss == "huber" else 1.3) * least


@losses
@pytest.mark.parametrize("size", [1.0, 10.0, 1e4])
@pytest.mark.parametrize(("shape", "share", "errors"), [
    ((120, 100), 0.3, 0.1), ((120, 100), 0.45, 0.2), ((60, 200), 0.5, 0.2)
])  # fmt: skip
def test_exact_data_are_met_but_for_gross_errors(loss, size, shape, share, errors):
    A = low_rank(*shape, 3, sizes=np.array([9.0, 3.0, 1.0]) * np.sqrt(shape[0] * shape[1]))
    entries = arranged_in_units(corrupted(A, share, errors, size), A.shape)
    model, converged, _ = fitted(entries, 3, loss, exact_data=True)
    assert converged
    assert error_of(model, entries, A) < 1e-10


def test_absolute_values_withstand_forty_percent():
    A = low_rank(150, 150, 3)
    entries = arranged_in_units(corrupted(A, 0.5, 0.4), A.shape)
    model, converged, _ = fitted(entries, 3, "l1", exact_data=True)
    assert converged
    assert error_of(model, entries, A) < 1e-10


@losses
def test_exact_data_with_biases_weights_and_in_single_precision(loss):
    rng = np.random.default_rng(2)
    A = low_rank(120, 100, 2) + rng.standard_normal((120, 1)) + 3 * rng.standard_normal(100) + 7
    rows, columns, values = corrupted(A, 0.4, 0.15)
    weights = rng.integers(1, 4, len(values)).astype(float)
    for dtype, tol in ((np.float64, 1e-10), (np.float32, 1e-5)):
        typed = rows, columns, values.astype(dtype)
        entries = arranged_in_units(typed, A.shape, weights.astype(dtype), True)
        model, _, _ = fitted(entries, 2, loss, exact_data=True, fit_bias=True)
        assert model.rows.values.dtype == dtype
        assert error_of(model, entries, A) < tol


@losses
def test_exact_data_with_noise_are_a_fit_like_any_other(loss):
    A = low_rank(120, 100, 3)
    entries = arranged_in_units(corrupted(A, 0.4, 0.1, noise=0.1), A.shape)
    model, converged, _ = fitted(entries, 3, loss, exact_data=True)
    assert converged
    assert error_of(model, entries, A) < 0.06


@losses
@pytest.mark.parametrize("exact_data", [False, True])
def test_units_do_not_matter(loss, exact_data):
    A = low_rank(60, 50, 2)
    rows, columns, values = corrupted(A, 0.5, 0.1, noise=0.0 if exact_data else 0.1)
    how = {"exact_data": exact_data, "ridge": 0.0 if exact_data else 0.1, "max_iter": 80}
    found = []
    for unit in (2.0**-300, 1.0, 2.0**300):
        entries = arranged_in_units((rows, columns, values * unit), A.shape)
        found.append(matrix(fitted(entries, 2, loss, **how)[0], entries) / unit)
    assert (found[0] == found[1]).all()
    assert (found[2] == found[1]).all()


@losses
def test_the_ridge_is_in_units_of_values_without_gross_errors(loss):
    A = low_rank(80, 60, 2)
    shrunk = [
        np.linalg.norm(matrix(fitted(entries, 2, loss, ridge=0.1)[0], entries))
        for entries in (
            arranged_in_units(corrupted(A, 0.6, 0.05, size, noise=0.1), A.shape)
            for size in (10.0, 1e6)
        )
    ]
    close(shrunk[1], shrunk[0], rtol=0.05)


@losses
def test_a_weight_is_a_number_of_repetitions(loss):
    rows, columns, values, _ = noisy_problem(False)
    times = np.random.default_rng(0).integers(0, 3, len(values))
    alike = [
        arranged_as_is((rows, columns, values, times.astype(float)), (30, 20)),
        arranged_as_is((*(np.repeat(a, times) for a in (rows, columns, values)),
                        np.ones(times.sum())), (30, 20)),
    ]  # fmt: skip
    start = spectral_start(alike[0], 2, np.random.default_rng(0))
    ends = [
        fitted(entries, 2, loss, ridge=1.0, max_iter=20, tol=0.0, init=start.copy())
        for entries in alike
    ]
    close(ends[0][2], ends[1][2], rtol=1e-10)
    close(numbers(ends[0][0]), numbers(ends[1][0]), rtol=1e-6, atol=1e-8)


@losses
@pytest.mark.parametrize("exact_data", [False, True])
@pytest.mark.parametrize("centred", [False, True])
def test_values_all_alike(loss, exact_data, centred):
    rows, columns = (a.ravel() for a in np.indices((9, 7)))
    entries = arranged_in_units((rows, columns, np.full(63, 3.0)), (9, 7), centred=centred)
    model, converged, _ = fitted(entries, 2, loss, exact_data=exact_data, fit_bias=centred)
    assert converged
    close(matrix(model, entries), 3.0, rtol=1e-6)


@losses
def test_more_than_half_of_the_values_alike(loss):
    """No spread can be told from their median, and yet the others count."""
    A = np.zeros((40, 30))
    A[:12, :15] = 1.0
    entries = arranged_in_units(observed(A, 0.8), A.shape)
    model, _, _ = fitted(entries, 1, loss, exact_data=True)
    assert error_of(model, entries, A) < 1e-10


def test_a_line_that_gross_errors_hold_is_freed():
    rng = np.random.default_rng(4)
    U, V = rng.standard_normal((30, 3)), rng.standard_normal((25, 3))
    U_bias, V_bias = rng.standard_normal(30), rng.standard_normal(25)
    A = U @ V.T + U_bias[:, None] + V_bias
    rows, columns = (a.ravel() for a in np.indices(A.shape))
    values = A.ravel().copy()
    values[5 * 25 : 5 * 25 + 14] = 50.0  # more than half of a row
    entries = arranged_as_is((rows, columns, values, np.ones(750)), A.shape)
    model = Model(factor_of(U, U_bias), factor_of(V, V_bias))
    model.rows.values[5], model.rows.bias[5] = 0.0, 50.0  # the absolute values are less here
    _gross_errors._free(entries.rows, model.columns, model.rows, 1e-8, True, rng)
    close(matrix(model), A, atol=1e-9)


def test_goes_on_from_a_model():
    A = low_rank(60, 50, 2)
    entries = arranged_in_units(corrupted(A, 0.5, 0.1, noise=0.1), A.shape)
    how = {"ridge": 0.1, "tol": 0.0}
    whole, _, history = fitted(entries, 2, **how, max_iter=10)
    half, _, first = fitted(entries, 2, **how, max_iter=5)
    resumed, _, rest = fitted(entries, 2, **how, max_iter=5, init=half)
    assert resumed is half
    close(first + rest, history, rtol=1e-12)
    close(matrix(resumed), matrix(whole), rtol=1e-9, atol=1e-12)


@losses
@pytest.mark.parametrize("exact_data", [False, True])
def test_the_callback_and_the_number_of_sweeps_end_a_fit(loss, exact_data):
    A = low_rank(60, 50, 2)
    entries = arranged_in_units(corrupted(A, 0.5, 0.1, noise=0.1), A.shape)
    how = {"exact_data": exact_data, "tol": 0.0}
    seen = []

    def callback(info):
        seen.append(info)
        return len(seen) == 4

    _, converged, history = fitted(entries, 2, loss, callback=callback, **how)
    assert converged
    assert [info["loss"] for info in seen] == history
    assert [info["n_iter"] for info in seen] == [1, 2, 3, 4]
    assert not fitted(entries, 2, loss, max_iter=3, **how)[1]


def test_threads_change_no_bit(monkeypatch):
    monkeypatch.setattr(_cpu, "_BLOCK", 500)
    A = low_rank(90, 80, 2)
    entries = arranged_in_units(corrupted(A, 0.4, 0.2), A.shape)
    found = []
    for n_threads in (1, 2):
        monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", n_threads)
        found.append(numbers(fitted(entries, 2, "l1", exact_data=True)[0]).tobytes())
    assert found[0] == found[1]


def test_nonnegative_factors():
    rng = np.random.default_rng(3)
    A = rng.random((60, 3)) @ rng.random((3, 50))
    entries = arranged_in_units(corrupted(A, 0.6, 0.1, size=5.0), A.shape)
    model, _, history = fitted(entries, 3, nonnegative=True, ridge=0.01, max_iter=300, tol=1e-8)
    assert min(model.rows.values.min(), model.columns.values.min()) >= 0
    assert (np.diff(history) <= 0).all()
    assert error_of(model, entries, A) < 0.05
