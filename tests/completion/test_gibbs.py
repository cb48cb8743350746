"""Draws against dense conditional distributions, and what the averaged predictions promise."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from lowrank_la._kernels.rng import gaussian_pair
from lowrank_la._support import validation
from lowrank_la._support.jit import kernel
from lowrank_la.completion import _gibbs_cpu
from lowrank_la.completion._altmin import alternate, residuals
from lowrank_la.completion._entries import arranged, moments
from lowrank_la.completion._factors import factor_of
from lowrank_la.completion._gibbs import _Chain, sample
from tests.completion.problems import arranged_as_is, entries_of, low_rank, observed, ratings
from tests.strategies import dtypes

close = np.testing.assert_allclose


def arranged_of(rows, columns, values, shape, weights=None):
    """Both orders of entries in their own units."""
    values = np.asarray(values, float)
    return arranged(rows, columns, values, weights, shape, *moments(values, weights, True))


def noisy(m=60, n=50, rank=2, share=0.4, noise=0.5, seed=0):
    """Entries of a matrix with noise, and those that are held out: places and values."""
    A = low_rank(m, n, rank, seed)
    places = np.indices(A.shape).reshape(2, -1)
    seen = np.random.default_rng(seed + 1).random(A.size) < share
    values = (A + noise * np.random.default_rng(seed + 2).standard_normal(A.shape)).ravel()
    held_out = (*places[:, ~seen], values[~seen])
    return arranged_of(*places[:, seen], values[seen], A.shape), held_out


def error_of(entries, predicted, values):
    return np.sqrt(np.mean((entries.mean + entries.scale * predicted - values) ** 2))


def drawn(lines, other, other_bias, prior, noise, fit_bias, key=1, step=2):
    """Rows drawn from their conditional distributions, with biases; what the kernel returns."""
    k = other.shape[1]
    mine = factor_of(np.full((len(lines), k), np.nan))
    mine.rows[:, k:] = 0
    mine.bias[:] = 0
    found = _gibbs_cpu.draw(
        *lines.arrays, factor_of(other).rows, other_bias, noise * prior, noise, np.uint64(key),
        step, fit_bias, mine.rows, mine.bias,
    )  # fmt: skip
    return np.column_stack([mine.values, mine.bias])[:, : k + fit_bias], *found


def some_prior(d, seed=0):
    """A precision matrix, and in the last column that times a mean."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((d, d + 3))
    precision, mean = A @ A.T / d, rng.standard_normal(d)
    return np.column_stack([precision, precision @ mean])


@pytest.mark.parametrize("fit_bias", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("k", [1, 3, 9])
def test_rows_have_their_conditional_distribution(fit_bias, weighted, k):
    """Many rows with the same entries are many draws."""
    n_kinds, n_each, n, noise = 4, 3000, 12, 0.3
    rows, columns, values, weights = ratings(n_kinds, n, 25, seed=k, weighted=weighted)
    rows, columns, values, weights = (x[rows > 0] for x in (rows, columns, values, weights))
    rng = np.random.default_rng(k)
    other, bias = rng.standard_normal((n, k)), rng.standard_normal(n) * fit_bias
    many = (rows + n_kinds * np.arange(n_each)[:, None]).ravel()
    repeated = many, *(np.tile(x, n_each) for x in (columns, values, weights))
    lines = arranged_as_is(repeated, (n_kinds * n_each, n)).rows
    prior = some_prior(k + fit_bias)
    X = drawn(lines, other, bias, prior, noise, fit_bias)[0].reshape(n_each, n_kinds, -1)
    design = np.column_stack([other, np.ones(n)])[:, : k + fit_bias]
    for i in range(n_kinds):  # the first has no entries: the prior
        mine = rows == i
        V, w = design[columns[mine]], weights[mine] / noise
        precision = prior[:, :-1] + V.T * w @ V
        mean = np.linalg.solve(precision, prior[:, -1] + V.T @ (w * (values - bias[columns])[mine]))
        z = (X[:, i] - mean) @ np.linalg.cholesky(precision)
        assert np.abs(z.mean(axis=0)).max() < 5 / n_each**0.5
        assert np.abs(np.cov(z.T) - np.eye(z.shape[1])).max() < 7 / n_each**0.5
        assert kstest(z.ravel(), "norm").pvalue > 1e-4


@pytest.mark.parametrize("fit_bias", [True, False])
def test_sums_that_come_with_the_draws(fit_bias):
    shape = 150, 20
    entries = arranged_as_is(ratings(*shape, 900, weighted=True), shape)
    chain = _Chain(entries, 3, np.random.default_rng(0), fit_bias, None)
    for _ in range(3):
        chain.sweep()
        r = residuals(entries.rows, chain.model.columns, chain.model.rows)
        assert chain.squares == pytest.approx(np.sum(entries.rows.weights * r * r), rel=1e-9)
        for half in chain.halves:
            X = np.column_stack([half.mine.values, half.mine.bias])[:, : 3 + fit_bias]
            X = np.column_stack([X, np.ones(len(X))])
            close(half.moments, X.T @ X, rtol=1e-9, atol=1e-9)
    assert chain.rms == pytest.approx(np.sqrt(chain.squares / entries.rows.weights.sum()))


def test_the_prior_is_drawn_from_its_conditional_distribution():
    n, d = 12, 3
    X = np.random.default_rng(0).standard_normal((n, d)) @ some_prior(d)[:, :-1] + 1
    ones = np.column_stack([X, np.ones(n)])
    rng = np.random.default_rng(1)
    squares, normals = (
        rng.chisquare(n + d - np.arange(d), (4000, d)),
        rng.standard_normal((4000, d + 1, d)),
    )
    priors = np.array(
        [
            _gibbs_cpu.draw_prior(ones.T @ ones, 0.1, *how)
            for how in zip(np.sqrt(squares), normals, strict=True)
        ]
    )
    precisions = priors[:, :, :-1]
    means = np.linalg.solve(precisions, priors[:, :, -1:])[:, :, 0]
    mean = X.sum(axis=0) / (n + 1)
    scatter = (X - X.mean(axis=0)).T @ (X - X.mean(axis=0)) + 0.1 * np.eye(d)
    scatter += n / (n + 1) * np.outer(X.mean(axis=0), X.mean(axis=0))
    root = np.linalg.cholesky(scatter)
    # Wishart's distribution with n + d degrees of freedom; that of the mean is Student's
    close(root.T @ precisions.mean(axis=0) @ root, (n + d) * np.eye(d), atol=0.5)
    z = np.linalg.solve(root, (means - mean).T)
    assert np.abs(z.mean(axis=1)).max() < 0.007
    close(np.cov(z) * (n + 1) * (n - 1), np.eye(d), atol=0.2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_on_any_number_of_threads(monkeypatch, dtype):
    shape = 3000, 150
    entries = arranged_as_is(ratings(*shape, 90_000, weighted=True), shape, dtype)
    rows, columns = np.indices((100, 100)).reshape(2, -1)
    found = []
    for n_threads in (1, 2, 3):
        monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", n_threads)
        posterior = sample(entries, 3, np.random.default_rng(0), n_sweeps=3)
        arrays = *posterior.predict(rows, columns, return_std=True), posterior.last.rows.rows
        found.append([array.tobytes() for array in arrays])
    assert entries.rows.block < 1500
    assert found[0] == found[1] == found[2]
    assert posterior.last.rows.rows.dtype == posterior.last.columns.bias.dtype == dtype


def test_a_seed_is_a_chain():
    entries, _ = noisy()
    places = np.arange(9), np.arange(9)
    means = [
        sample(entries, 2, np.random.default_rng(seed), n_sweeps=6).predict(*places)
        for seed in (0, 0, 1)
    ]
    assert np.array_equal(means[0], means[1])
    assert (means[0] != means[2]).all()


def test_predictions_are_means_over_draws():
    entries, _ = noisy()
    posterior = sample(entries, 3, np.random.default_rng(0), n_sweeps=30, burn_in=5)
    rows, columns = np.indices(entries.shape).reshape(2, -1)
    left, right = posterior.left.astype(float), posterior.right.astype(float)
    each = np.einsum("ics,jcs->ijs", left[:, :3], right[:, :3])
    each = (each + left[:, 3][:, None] + right[:, 3]).reshape(len(rows), -1)
    mean, std = posterior.predict(rows, columns, return_std=True)
    assert each.shape[1] == len(posterior.noise) == 25
    close(mean, each.mean(axis=1), atol=1e-12)
    close(std**2, each.var(axis=1) + np.mean(posterior.noise**2), rtol=1e-9)
    assert np.array_equal(posterior.predict(rows, columns), mean)
    last = posterior.last.predict(rows, columns)
    close(each[:, -1], last, atol=1e-5)


def test_calibrated():
    """On data drawn from the model, 95 % lie within 1.96 standard deviations."""
    shares, noises = [], []
    for seed in range(4):
        entries, (rows, columns, values) = noisy(seed=10 * seed)
        posterior = sample(entries, 4, np.random.default_rng(seed), n_sweeps=120)
        mean, std = posterior.predict(rows, columns, return_std=True)
        gaps = (values - entries.mean) / entries.scale - mean
        shares.append(np.mean(np.abs(gaps) < 1.96 * std))
        noises.append(np.mean(posterior.noise) * entries.scale)
    assert 0.935 < np.mean(shares) < 0.965
    assert np.mean(noises) == pytest.approx(0.5, abs=0.03)


def ridge_model(entries, rank, alpha):
    return alternate(
        entries, rank, np.random.default_rng(0), ridge=alpha, exponent=0.5, fit_bias=True,
        tol=1e-5, max_iter=100, watch=lambda *_: False,
    )[0]  # fmt: skip


def test_averages_are_better_than_one_draw_and_than_any_ridge():
    entries, (rows, columns, values) = noisy(90, 70, rank=3, share=0.25)
    posterior = sample(entries, 6, np.random.default_rng(0), n_sweeps=150)
    mean = error_of(entries, posterior.predict(rows, columns), values)
    last = error_of(entries, posterior.last.predict(rows, columns), values)
    ridges = [
        error_of(entries, ridge_model(entries, 6, alpha).predict(rows, columns), values)
        for alpha in (0.3, 1.0, 3.0)
    ]
    assert mean < 0.9 * last
    assert mean < 0.9 * min(ridges)


def test_close_to_least_squares_on_easy_data():
    entries, (rows, columns, _) = noisy(share=0.8, noise=0.05)
    mean, std = sample(entries, 2, np.random.default_rng(0), n_sweeps=100).predict(
        rows, columns, return_std=True
    )
    gaps = mean - ridge_model(entries, 2, 1e-3).predict(rows, columns)
    assert np.sqrt(np.mean(gaps**2)) < 0.01
    assert np.median(std) * entries.scale == pytest.approx(0.05, rel=0.2)


def test_lines_without_entries():
    A = low_rank(40, 30, 2)
    rows, columns, values = observed(A[:-1, :-1], 0.7, noise=0.1)
    entries = arranged_of(rows, columns, values, A.shape)
    posterior = sample(entries, 2, np.random.default_rng(0), n_sweeps=60)
    mean, std = (
        x.reshape(A.shape)
        for x in posterior.predict(*np.indices(A.shape).reshape(2, -1), return_std=True)
    )
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
    typical = np.median(std[:-1, :-1])
    assert np.median(std[-1]) > 3 * typical
    assert np.median(std[:, -1]) > 3 * typical
    assert np.abs(mean[-1]).mean() < 0.5


def test_a_weight_is_that_many_entries():
    rows, columns, values, weights = ratings(30, 12, 200, weighted=True)
    other, bias = np.random.default_rng(0).standard_normal((12, 3)), np.arange(12) / 9
    often = weights.astype(int)
    repeated = (*(np.repeat(x, often) for x in (rows, columns, values)), np.ones(often.sum()))
    found = [
        drawn(arranged_as_is(entries, (30, 12)).rows, other, bias, some_prior(4), 0.4, True)
        for entries in ((rows, columns, values, weights), repeated)
    ]
    for weighted, plain in zip(*found, strict=True):
        close(weighted, plain, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("unit", [2.0**-500, 0.25, 2.0**500])
def test_units_do_not_matter(unit):
    A = low_rank(30, 20, 2)
    rows, columns, values = observed(A, 0.5, noise=0.2)
    found = [
        sample(arranged_of(rows, columns, scale * values, A.shape), 3, np.random.default_rng(0),
               n_sweeps=10)
        for scale in (1.0, unit)
    ]  # fmt: skip
    assert np.array_equal(found[0].predict(rows, columns), found[1].predict(rows, columns))
    assert np.array_equal(found[0].noise, found[1].noise)


@pytest.mark.parametrize("value", [0.0, -7.0])
def test_constant_data(value):
    rows, columns = np.indices((12, 9)).reshape(2, -1)
    seen = np.arange(len(rows)) % 3 > 0
    entries = arranged_of(rows[seen], columns[seen], np.full(seen.sum(), value), (12, 9))
    posterior = sample(entries, 3, np.random.default_rng(0), n_sweeps=200)
    mean, std = posterior.predict(rows, columns, return_std=True)
    close(entries.mean + entries.scale * mean, value, atol=0.05 * entries.scale)
    assert std[seen].max() < 0.01
    assert std.max() < 0.5


@given(entries_of(min_weight=0), st.integers(1, 5), st.booleans(), dtypes)
def test_never_nan(problem, rank, fit_bias, dtype):
    (m, n), (rows, columns, values, weights) = problem
    if not weights.any():
        weights[0] = 1
    entries = arranged(
        rows, columns, values.astype(dtype), weights, (m, n),
        *moments(values.astype(dtype), weights, fit_bias),
    )  # fmt: skip
    posterior = sample(
        entries, rank, np.random.default_rng(0), n_sweeps=5, burn_in=1, fit_bias=fit_bias
    )
    mean, std = posterior.predict(*np.indices((m, n)).reshape(2, -1), return_std=True)
    assert np.isfinite(mean).all()
    assert np.isfinite(posterior.history).all()
    assert (std > 0).all()
    assert fit_bias or not (posterior.left[:, -1].any() or posterior.last.columns.bias.any())


def test_data_without_noise():
    A = low_rank(40, 30, 2)
    rows, columns, values = observed(A, 0.6)
    entries = arranged_of(rows, columns, values, A.shape)
    posterior = sample(entries, 3, np.random.default_rng(0), n_sweeps=150)
    assert posterior.history[-1] < 0.02
    places = np.indices(A.shape).reshape(2, -1)
    assert error_of(entries, posterior.predict(*places), A.ravel()) < 0.05


def test_the_callback_is_told_and_can_stop():
    entries, _ = noisy()
    told = []
    posterior = sample(
        entries, 2, np.random.default_rng(0), n_sweeps=50, burn_in=3,
        callback=lambda info: told.append(info) or len(told) == 7,
    )  # fmt: skip
    assert posterior.n_iter == len(posterior.history) == 7
    assert [info["n_iter"] for info in told] == list(range(1, 8))
    assert [info["loss"] for info in told] == posterior.history.tolist()
    assert len(posterior.noise) == 4


def test_stopped_before_any_draw_is_kept():
    entries, _ = noisy()
    posterior = sample(entries, 2, np.random.default_rng(0), callback=lambda info: True)
    assert posterior.n_iter == len(posterior.noise) == 1
    places = np.arange(9), np.arange(9)
    mean, std = posterior.predict(*places, return_std=True)
    close(mean, posterior.last.predict(*places), atol=1e-5)
    close(std, posterior.noise[0])


@pytest.mark.parametrize(("n_sweeps", "kept"), [(1, 1), (2, 1), (30, 15), (200, 180), (500, 160)])
def test_how_many_draws_are_kept(n_sweeps, kept):
    entries, _ = noisy(8, 7, 1)
    posterior = sample(entries, 1, np.random.default_rng(0), n_sweeps=n_sweeps)
    assert posterior.n_iter == n_sweeps
    assert len(posterior.noise) == posterior.left.shape[2] == kept
    assert np.isfinite(posterior.left).all()


def test_a_chain_goes_on():
    entries, (rows, columns, values) = noisy()
    first = sample(entries, 4, np.random.default_rng(0), n_sweeps=60)
    before = first.last.rows.rows.copy()
    second = sample(entries, 4, np.random.default_rng(1), n_sweeps=30, burn_in=0, init=first.last)
    assert np.array_equal(first.last.rows.rows, before)
    assert second.history[0] == pytest.approx(first.history[-1], rel=0.05)
    assert error_of(entries, second.predict(rows, columns), values) < 0.62


def test_too_many_draws_are_refused_before_work(monkeypatch):
    entries, _ = noisy()
    monkeypatch.setattr(validation, "_physical_memory", lambda: 1000)
    with pytest.raises(MemoryError, match=r"180 draws .* max_iter below 180, or the rank"):
        sample(entries, 2, np.random.default_rng(0), callback=lambda info: 1 / 0)


def test_ratings(data_dir):
    path = data_dir / "completion" / "ml100k.npz"
    if not path.exists():
        pytest.skip(f"{path.name} is not there")
    data = np.load(path)
    rows, columns, values = data["user"], data["item"], data["rating"].astype(float)
    test = np.random.default_rng(0).random(len(values)) < 0.1
    entries = arranged_of(rows[~test], columns[~test], values[~test], (943, 1682))
    posterior = sample(entries, 10, np.random.default_rng(0), n_sweeps=60)
    mean, std = posterior.predict(rows[test], columns[test], return_std=True)
    assert error_of(entries, mean, values[test]) < 0.91
    gaps = (values[test] - entries.mean) / entries.scale - mean
    assert 0.93 < np.mean(np.abs(gaps) < 1.96 * std) < 0.97


@kernel
def _pairs(words, others, out):
    for i in range(len(words)):
        out[i, 0], out[i, 1] = _gibbs_cpu._normal_pair(words[i], others[i], 2.0)


def test_pairs_of_normal_numbers():
    most = 2**32 - 1
    words = np.random.default_rng(0).integers(0, most, (2, 1000), dtype=np.uint64)
    ends = np.array([0, 1, 2**30, 2**31 - 1, 2**31, 3 * 2**30, most - 1, most], np.uint64)
    words = np.hstack([words, np.array(np.meshgrid(ends, ends)).reshape(2, -1)])
    out = np.empty((words.shape[1], 2))
    _pairs(*words, out)
    expected = [gaussian_pair(word, other, 2.0) for word, other in words.T]
    close(out, expected, rtol=1e-9, atol=1e-7)  # next to zero, so many digits of the radius
