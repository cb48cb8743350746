"""Entries that leave something open, and options that do not go together."""

from functools import partial

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from lowrank_la.completion import LowRankImputer, _complete, complete


def table(m, n, rank, share, seed=0):
    """Exact matrix, and which entries of it are observed."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((m, rank)) @ rng.standard_normal((rank, n))
    return A, rng.random((m, n)) < share


def exact(A, observed, **options):
    rows, columns = np.nonzero(observed)
    options = {"rank": 3, "alpha": 0, "fit_bias": False, "rng": 0} | options
    return complete(rows, columns, A[observed], A.shape, **options)


def test_few_entries_are_told():
    A, observed = table(60, 50, 3, 0.05)
    with pytest.warns(UserWarning, match="do not determine a matrix of rank 3"):
        found = exact(A, observed)
    assert np.isfinite(found.left @ found.right.T).all()


def test_parts_without_an_entry_in_common_are_told():
    A, observed = table(40, 40, 3, 0.8)
    observed[:20, 20:] = observed[20:, :20] = False
    with pytest.warns(UserWarning, match="in 2 separate part"):
        exact(A, observed)


def test_a_line_with_fewer_entries_than_unknowns_is_told():
    A, observed = table(40, 40, 3, 0.8)
    observed[5, 2:] = False
    with pytest.warns(UserWarning, match="smaller rank"):
        exact(A, observed)


@pytest.mark.filterwarnings("error::UserWarning")
def test_what_is_determined_warns_of_nothing():
    A, observed = table(40, 40, 3, 0.6)
    observed[7], observed[:, 3] = False, False  # lines without entries are not in question
    found = exact(A, observed)
    kept = np.ix_(np.arange(40) != 7, np.arange(40) != 3)
    np.testing.assert_allclose((found.left @ found.right.T)[kept], A[kept], atol=1e-8)


def test_new_rows_of_few_entries_stay_small():
    A, observed = table(200, 60, 5, 0.6)
    imputer = LowRankImputer(5, alpha=0, fit_bias=False, random_state=0)
    imputer.fit(np.where(observed, A, np.nan))
    new, seen = table(300, 60, 5, 0.0, seed=1)
    rng = np.random.default_rng(2)
    for row in seen:
        row[rng.choice(60, 2, replace=False)] = True
    out = imputer.transform(np.where(seen, new, np.nan))
    assert np.abs(out).max() < 10 * np.abs(new).max()


@pytest.mark.parametrize("rank", [4, 16])
def test_bits_with_weights_do_not_depend_on_the_threads_of_blas(rank):
    rng = np.random.default_rng(0)
    rows, columns = rng.integers([500, 400], size=(60_000, 2)).T
    values, weights = rng.standard_normal(60_000), rng.random(60_000)
    found = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            found.append(
                complete(rows, columns, values, rank=rank, sample_weight=weights, tol=1e-2, rng=0)
            )
    one, two = found
    assert one.mean == two.mean
    np.testing.assert_array_equal(one.left, two.left)
    np.testing.assert_array_equal(one.history, two.history)


def test_a_weight_repeats_an_entry_in_the_sampler():
    A, observed = table(30, 20, 2, 0.5)
    A += 0.1 * np.random.default_rng(3).standard_normal(A.shape)
    rows, columns = np.nonzero(observed)
    times = np.random.default_rng(4).integers(1, 4, len(rows))
    options = {"rank": 2, "solver": "gibbs", "max_iter": 4, "rng": 0}
    weighted = complete(rows, columns, A[observed], sample_weight=times, **options)
    repeated = complete(*(np.repeat(a, times) for a in (rows, columns, A[observed])), **options)
    np.testing.assert_allclose(weighted.left, repeated.left, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fit_bias": "no"}, "fit_bias='no'"),
        ({"nonnegative": 2}, "nonnegative=2"),
        ({"early_stopping": "x"}, "early_stopping='x'"),
        ({"callback": 3}, "callback=3"),
        ({"alpha": -1}, "alpha=-1: a finite number of at least zero"),
        ({"tol": float("nan")}, "tol=nan: a finite number of at least zero"),
        ({"init": 5}, "init=5"),
    ],
)
def test_what_is_no_option_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        complete([0, 1, 1], [0, 0, 1], [1.0, 2.0, 3.0], rank=1, **options)


def test_an_earlier_result_is_looked_at_before_any_work():
    A, observed = table(20, 20, 2, 0.8)
    init = exact(A, observed, rank=2)
    for options, message in [
        ({"rank": "auto"}, "rank='auto'"),
        ({"rank": 1}, "rank 2, more than"),
    ]:
        with pytest.raises(ValueError, match=message):
            exact(A, observed, init=init, **options)
    biased = exact(A, observed, rank=2, fit_bias=True)
    with pytest.raises(ValueError, match="init has biases"):
        exact(A, observed, rank=2, init=biased)


def test_iterations_are_not_blamed_for_data_that_cannot_be_met(monkeypatch):
    A, observed = table(20, 20, 2, 0.8)
    given_up = partial(_complete.recover, max_iter=3)
    monkeypatch.setattr(_complete, "recover", lambda *args, **kw: given_up(*args, **drop(kw)))
    with pytest.warns(ConvergenceWarning, match="alpha above zero"):
        exact(A, observed, rank=2)


def drop(options):
    """Options that do not say how long to go on."""
    return {name: value for name, value in options.items() if name != "max_iter"}


TINY = [
    ("gauss_newton", 3, [2, 2, 2, 1, 2], [2, 1, 2, 2, 2], [-1, 3, -3, 1, 2]),
    ("gauss_newton", 4, [1, 0, 3, 2, 0], [3, 0, 3, 1, 2], [-1, 3, 0, -1, 0]),
    ("als", 4, [3, 0, 0, 2, 1], [1, 3, 3, 3, 3], [-3, -2, 1, 3, -2]),
    ("als", 3, [2, 0, 0, 1], [2, 2, 2, 1], [1, 1, 2, -3]),
]


@pytest.mark.parametrize(("solver", "m", "rows", "columns", "values"), TINY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_nothing_determines_stays_small(solver, m, rows, columns, values, dtype):
    values, options = np.array(values, dtype), {"rank": 2, "alpha": 0, "rng": 0}
    found = complete(rows, columns, values, (m, m), solver=solver, **options)
    assert np.abs(found.left @ found.right.T).max() < 100
