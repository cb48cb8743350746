"""Recovery from few entries, and Gauss-Newton steps against dense algebra."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks._completion_problems import recovery
from lowrank_la.completion import _continuation
from lowrank_la.completion._altmin import residuals
from lowrank_la.completion._continuation import recover
from lowrank_la.completion._entries import arranged, moments
from lowrank_la.completion._factors import Model, factor_of
from lowrank_la.completion._gauss_newton import Projection, gauss_newton
from tests.completion.problems import arranged_as_is, entries_of, ratings

close = np.testing.assert_allclose
EXACT = 1e-7


def arrange(rows, columns, values, shape, weights=None, centred=False):
    return arranged(rows, columns, values, weights, shape, *moments(values, weights, centred))


def matrix_of(model, entries):
    """The completed matrix in the units of the values."""
    U, V = model.rows, model.columns
    return entries.mean + entries.scale * (U.values @ V.values.T + U.bias[:, None] + V.bias)


def drawn(m, n, rank, oversampling, kappa=10.0, seed=0):
    """Matrix, and rows, columns and values of some of its entries."""
    problem = recovery(m, n, rank, oversampling, kappa, seed)
    known = problem.known
    return problem.left @ problem.right.T, (known.rows, known.columns, known.values)


def recovered(triples, shape, rank, seed=0, **options):
    """Completed matrix, and what `recover` says of it."""
    centred = options.get("fit_bias", False)
    entries = arrange(*triples, shape, options.pop("weights", None), centred)
    found = recover(entries, rank, np.random.default_rng(seed), **options)
    return matrix_of(found[0], entries), found


def error(found, A):
    return np.linalg.norm(found - A) / np.linalg.norm(A)


@pytest.mark.parametrize(
    ("m", "n", "rank", "oversampling", "kappa"),
    [
        (150, 150, 3, 3, 1),
        (200, 150, 5, 2, 10),
        (60, 400, 3, 2, 10),
        (400, 60, 3, 2, 10),
        (100, 80, 1, 2, 1),
        (300, 300, 5, 1.5, 10),
        (200, 200, 4, 2, 1e5),
        (1000, 30, 2, 2.5, 10),
    ],
)
def test_matrices_are_recovered(m, n, rank, oversampling, kappa):
    A, triples = drawn(m, n, rank, oversampling, kappa)
    found, (model, n_iter, converged, history) = recovered(triples, A.shape, rank)
    assert converged and len(history) == n_iter and history[-1] <= 1e-10
    assert model.rank == rank
    assert error(found, A) < EXACT


def test_most_matrices_are_recovered_near_the_information_limit():
    errors = []
    for seed in range(5):
        A, triples = drawn(200, 200, 4, 1.3, 10, seed)
        errors.append(error(recovered(triples, A.shape, 4)[0], A))
    assert np.median(errors) < EXACT


@pytest.mark.parametrize("kappa", [10, 1e4])
def test_directions_that_are_not_there_die(kappa):
    A, triples = drawn(200, 150, 5, 4, kappa)
    found, (model, _, converged, _) = recovered(triples, A.shape, 8)
    assert converged and model.rank == 8
    assert error(found, A) < EXACT


def test_biases_are_recovered():
    A, (rows, columns, values) = drawn(200, 150, 4, 3)
    b, c = np.random.default_rng(1).normal(size=200), np.random.default_rng(2).normal(size=150)
    A = A + b[:, None] + c + 5
    values = values + b[rows] + c[columns] + 5
    found, (_, _, converged, _) = recovered((rows, columns, values), A.shape, 4, fit_bias=True)
    assert converged and error(found, A) < EXACT


def test_float32_in_float32_out():
    A, (rows, columns, values) = drawn(200, 150, 4, 3)
    values = values.astype(np.float32)
    found, (model, *_) = recovered((rows, columns, values), A.shape, 4)
    assert model.rows.rows.dtype == model.columns.bias.dtype == np.float32
    assert error(found, A) < 1e-5


@pytest.mark.parametrize("noise", [1e-3, 0.03])
def test_noise_ends_in_least_squares(noise):
    A, (rows, columns, values) = drawn(200, 150, 4, 4)
    values = values + noise * np.random.default_rng(1).normal(size=len(values))
    entries = arrange(rows, columns, values, A.shape)
    model, _, converged, history = recover(entries, 4, np.random.default_rng(0))
    floor = noise * np.sqrt(1 - 4 * (200 + 150 - 4) / len(values))
    assert converged
    assert 0.95 * floor < history[-1] * entries.scale < 1.05 * floor
    assert error(matrix_of(model, entries), A) < 2 * noise
    assert np.abs(gradient(entries, model, 0.0, 0.0)).max() < 0.01 * noise


def test_noise_without_end_is_not_nan():
    rows, columns, values, _ = ratings(60, 50, 600)
    found, (_, _, _, history) = recovered((rows, columns, values), (60, 50), 6)
    assert np.isfinite(found).all() and np.isfinite(history).all()


def gradient(entries, model, ridge, exponent, fit_bias=False):
    """Half the objective's gradient, by its definition."""
    i = np.repeat(np.arange(entries.shape[0]), np.diff(entries.rows.starts))
    j = entries.rows.others
    w = entries.rows.weights if len(entries.rows.weights) else 1.0
    U, V = model.rows, model.columns
    gaps = w * (entries.rows.values - model.predict(i, j))
    parts = []
    for lines, mine, other, at, others in (
        (entries.rows, U, V, i, j),
        (entries.columns, V, U, j, i),
    ):
        slopes = ridge * (lines.amounts**exponent)[:, None] * mine.values
        np.subtract.at(slopes, at, gaps[:, None] * other.values[others])
        parts.append(slopes.ravel())
        if fit_bias:
            bias = ridge * lines.amounts**exponent * mine.bias
            np.subtract.at(bias, at, gaps)
            parts.append(bias)
    return np.concatenate(parts)


@pytest.mark.parametrize("fit_bias", [False, True])
@pytest.mark.parametrize("exponent", [0.0, 0.5])
@pytest.mark.parametrize("ridge", [0.1, 5.0])
def test_a_ridge_ends_where_the_gradient_vanishes(ridge, exponent, fit_bias):
    A, (rows, columns, values) = drawn(60, 50, 3, 4)
    rng = np.random.default_rng(1)
    values, weights = values + 0.3 * rng.normal(size=len(values)), rng.integers(0, 4, len(values))
    entries = arrange(rows, columns, values, A.shape, weights.astype(float), fit_bias)
    model, _, converged, _ = recover(
        entries, 3, np.random.default_rng(0), ridge=ridge, exponent=exponent, fit_bias=fit_bias
    )
    assert converged
    slopes = gradient(entries, model, ridge, exponent, fit_bias)
    assert np.linalg.norm(slopes) < 0.02 * np.linalg.norm(values)


def test_weights_are_repetitions():
    A, (rows, columns, values) = drawn(60, 50, 2, 4)
    rng = np.random.default_rng(3)
    values, weights = values + 0.01 * rng.normal(size=len(values)), rng.integers(1, 4, len(values))
    again = [np.repeat(part, weights) for part in (rows, columns, values)]
    once, _ = recovered((rows, columns, values), A.shape, 2, weights=weights.astype(float))
    close(once, recovered(again, A.shape, 2)[0], atol=1e-5)


def test_entries_without_weight_do_not_count():
    A, (rows, columns, values) = drawn(100, 80, 3, 5)
    weights = (np.random.default_rng(0).random(len(values)) < 0.8).astype(float)
    values = np.where(weights > 0, values, 100.0)
    found, (_, _, converged, _) = recovered((rows, columns, values), A.shape, 3, weights=weights)
    assert converged and error(found, A) < EXACT


def test_order_and_units_do_not_matter():
    A, (rows, columns, values) = drawn(100, 80, 3, 2)
    found, _ = recovered((rows, columns, values), A.shape, 3)
    rng = np.random.default_rng(0)
    p, q = rng.permutation(100), rng.permutation(80)
    other, _ = recovered((p[rows], q[columns], 1e6 * values), A.shape, 3)
    close(other[p][:, q], 1e6 * found, atol=1e6 * EXACT)
    turned, _ = recovered((columns, rows, values), A.shape[::-1], 3)
    close(turned.T, found, atol=EXACT)


def test_lines_without_entries_are_zero():
    A, (rows, columns, values) = drawn(80, 70, 2, 4)
    found, _ = recovered((rows + 1, columns, values), (82, 70), 2)
    close(found[[0, -1]], 0, atol=1e-12)
    assert error(found[1:-1], A) < EXACT


def test_a_start_saves_the_path():
    A, triples = drawn(100, 80, 3, 2)
    entries = arrange(*triples, A.shape)
    model, n_iter, *_ = recover(entries, 3, np.random.default_rng(0))
    rows, columns = (factor.rows.copy() for factor in (model.rows, model.columns))
    model.rows.values[:] += 1e-3 * np.random.default_rng(1).normal(size=(100, 3))
    start = model.rows.rows.copy()
    again, fewer, converged, _ = recover(entries, 3, np.random.default_rng(0), init=model)
    assert converged and fewer < n_iter
    close(again.rows.rows @ again.columns.rows.T, rows @ columns.T, atol=EXACT)
    np.testing.assert_array_equal(model.rows.rows, start)


def test_a_start_of_lower_rank_gets_the_directions_that_it_lacks():
    A, triples = drawn(100, 80, 3, 4)
    entries = arrange(*triples, A.shape)
    model = Model(*(factor_of(np.zeros((size, 3))) for size in A.shape))
    less, *_ = recover(entries, 2, np.random.default_rng(0))
    for mine, known in ((model.rows, less.rows), (model.columns, less.columns)):
        mine.values[:, :2] = known.values
    found, _, converged, _ = recover(entries, 3, np.random.default_rng(0), init=model)
    assert converged and error(matrix_of(found, entries), A) < EXACT


def test_it_stops_when_asked():
    A, triples = drawn(100, 80, 3, 2)
    calls = []

    def callback(info):
        calls.append(info)
        return len(calls) == 2

    _, (_, n_iter, converged, _) = recovered(triples, A.shape, 3, callback=callback)
    assert converged and [info["n_iter"] for info in calls] == [1, 2] and n_iter == 2
    _, (_, n_iter, converged, history) = recovered(triples, A.shape, 3, max_iter=2)
    assert not converged and n_iter == 2 and np.isfinite(history).all()


def test_slow_paths_come_last(monkeypatch):
    A, triples = drawn(100, 80, 3, 3)
    monkeypatch.setattr(_continuation, "_PATHS", _continuation._PATHS[:1])
    assert error(recovered(triples, A.shape, 3)[0], A) < EXACT


def test_poor_lines_are_left_out_at_first(monkeypatch):
    A, triples = drawn(200, 200, 4, 1.4)
    assert min(np.bincount(triples[0], minlength=200)) == 5
    monkeypatch.setattr(_continuation, "_PATHS", ((0.95, 4, True),))
    found, (_, _, converged, _) = recovered(triples, A.shape, 4)
    assert converged and error(found, A) < EXACT


@st.composite
def tangents(draw):
    """A problem, and a model of it."""
    shape, entries = draw(entries_of(min_weight=0))
    rank, fit_bias = draw(st.integers(1, 3)), draw(st.booleans())
    ridge = draw(st.sampled_from([0.1, 1.0]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    sides = (
        factor_of(rng.normal(size=(size, rank)), fit_bias * rng.normal(size=size)) for size in shape
    )
    return arranged_as_is(entries, shape), Model(*sides), ridge, draw(exponents), fit_bias


exponents = st.sampled_from([0.0, 0.5, 1.0])


def jacobian(entries, model, fit_bias):
    """Derivatives of the entries with respect to rows and to columns, dense; roots of weights."""
    (m, n), k = entries.shape, model.rank
    i = np.repeat(np.arange(m), np.diff(entries.rows.starts))
    one = np.ones((len(i), 1 if fit_bias else 0))
    d = k + fit_bias
    J_rows, J_columns = np.zeros((len(i), m, d)), np.zeros((len(i), n, d))
    e, j = np.arange(len(i)), entries.rows.others
    J_rows[e, i] = np.hstack([model.columns.values[j], one])
    J_columns[e, j] = np.hstack([model.rows.values[i], one])
    w = entries.rows.weights if len(entries.rows.weights) else np.ones(len(i))
    return J_rows.reshape(len(i), -1), J_columns.reshape(len(i), -1), np.sqrt(w)[:, None]


@given(tangents(), st.booleans())
def test_tangent_products_are_those_of_dense_algebra(problem, exact):
    entries, model, ridge, exponent, fit_bias = problem
    step = Projection(entries, model, ridge, exponent, fit_bias)
    rows, columns = step.rows, step.columns
    rows.differentiate(columns)
    columns.differentiate(rows)
    J, K, root = jacobian(entries, model, fit_bias)
    J, K = root * J, root * K
    d = model.rank + fit_bias
    P, Q = (np.diag(np.repeat(ridge * side.lines.amounts**exponent, d)) for side in (rows, columns))
    cross = J.T @ K - exact * second_derivative(entries, model, d)
    change = np.zeros_like(columns.unknown)
    change[:, :d] = np.random.default_rng(0).normal(size=(len(change), d))
    rows.respond(columns, change, exact)
    image = columns.curvature(rows, change, 0.5, exact)
    x = change[:, :d].ravel()
    # a line without weight may have neither ridge nor entries: it stays
    back = np.linalg.lstsq(J.T @ J + P, cross @ x, rcond=1e-12)[0]
    close(rows.response[:, :d].ravel(), back, atol=1e-7)
    close(image[:, :d].ravel(), 1.5 * (K.T @ (K @ x) + Q @ x) - cross.T @ back, atol=1e-7)


def second_derivative(entries, model, d):
    """Weighted residuals on the diagonals of blocks, one for a row and a column; none of biases."""
    i = np.repeat(np.arange(entries.shape[0]), np.diff(entries.rows.starts))
    j, w = entries.rows.others, entries.rows.weights if len(entries.rows.weights) else 1.0
    gaps = np.zeros(entries.shape)
    np.add.at(gaps, (i, j), w * (entries.rows.values - model.predict(i, j)))
    return np.kron(gaps, np.diag(np.arange(d) < model.rank))


@given(tangents())
def test_no_step_raises_the_objective(problem):
    entries, model, ridge, exponent, fit_bias = problem
    step = Projection(entries, model, ridge, exponent, fit_bias)
    for _ in range(4):
        before = step.objective
        if not step.take(1e-10):
            break
        assert step.objective < before
    gaps = residuals(entries.rows, model.columns, model.rows)
    w = entries.rows.weights if len(entries.rows.weights) else 1.0
    squares = [np.sum(w * gaps**2)]
    for lines, factor in ((entries.rows, model.rows), (entries.columns, model.columns)):
        sizes = (factor.values**2).sum(axis=1) + factor.bias**2
        squares.append(ridge * np.dot(lines.amounts**exponent, sizes))
    close(step.objective, sum(squares), rtol=1e-9, atol=1e-12)


@given(entries_of(), st.integers(1, 3), st.booleans())
@settings(max_examples=25)
def test_any_entries_give_finite_models(problem, rank, fit_bias):
    shape, (rows, columns, values, weights) = problem
    weights = np.maximum(weights, weights.sum() == 0)
    found, (_, n_iter, _, history) = recovered(
        (rows, columns, values), shape, min(rank, *shape), fit_bias=fit_bias, weights=weights
    )
    assert np.isfinite(found).all() and np.isfinite(history).all() and len(history) == n_iter
    assert history[-1] <= 1 + 1e-9 or not fit_bias


def test_steps_end_at_a_solution():
    A, triples = drawn(60, 50, 2, 4)
    entries = arrange(*triples, A.shape)
    model, *_ = recover(entries, 2, np.random.default_rng(0))
    before = model.copy()
    rms, converged = gauss_newton(entries, model)
    assert converged and rms <= 1e-10
    close(model.rows.values, before.rows.values, atol=1e-8)


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    A, (rows, columns, values) = drawn(3000, 2000, 2, 8)
    values = values + 0.1 * np.random.default_rng(0).normal(size=len(values))
    found = []
    for n_threads in (1, 3):
        monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", n_threads)
        found.append(recovered((rows, columns, values), A.shape, 2, ridge=0.1)[0])
    np.testing.assert_array_equal(*found)
