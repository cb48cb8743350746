"""What cur returns: the same bits on any threads, estimates, cores, nothing before its time."""

import hashlib
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import sparse

from lowrank_la.decomposition import _core, cur
from lowrank_la.decomposition._matrix import Matrix
from tests.decomposition.problems import (
    CORES,
    ELIMINATIONS,
    A,
    geometric,
)

pytestmark = pytest.mark.filterwarnings("ignore:k=.* are independent of each other:UserWarning")
close = np.testing.assert_allclose
same = np.testing.assert_array_equal
cores = st.sampled_from(CORES)
every_core = pytest.mark.parametrize("core", CORES)
norm = np.linalg.norm


def test_the_same_bits_on_any_number_of_threads(run_python):
    code = "from tests.decomposition.test_cur_result import fingerprint; print(fingerprint())"
    one, two = (run_python("-c", code, NUMBA_NUM_THREADS=n, OMP_NUM_THREADS=n) for n in "12")
    assert one == two != ""


def fingerprint():
    """Bits of results on matrices of several blocks of rows and of columns."""
    data = 1 / (1.0 + np.abs(np.subtract.outer(np.arange(1300.0), np.arange(1100.0))))
    found = [
        cur(form, *choice, selection=selection, core=core, rng=0)
        for form in (data, sparse.csr_array(data * (data > 0.01)))
        for core in CORES
        for selection, choice in (("lupp", (20,)), ("cpqr", (20,)), ("deim", (9,)))
    ] + [cur(data, tol=0.5, rng=0)]
    parts = [
        (r.row_indices, r.column_indices, r.coefficients, r.error, r.error_estimate, r.history)
        for r in found
    ]
    return hashlib.sha256(
        b"".join(np.asarray(x).tobytes() for row in parts for x in row)
    ).hexdigest()


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("selection", ELIMINATIONS)
def test_the_estimate_is_near_the_error(form, selection):
    """Of the core "cross", whichever core is asked for: 64 rows have a standard error of 9 %."""
    data = geometric(300, 200, 0.9)
    ratios = []
    for seed in range(10):
        found = cur(form(data), 25, selection=selection, core="cross", rng=seed)
        ratios.append(found.error_estimate / found.error)
    assert 0.7 < min(ratios) < 1 < max(ratios) < 1.4


@pytest.mark.parametrize("core", CORES)
def test_the_core_solves_for_whatever_it_is_given(core):
    found = cur(geometric(60, 50, 0.8), 7, core=core, rng=0)
    U = found.core @ np.eye(7)
    C, R = found.columns, found.rows
    expected = np.linalg.pinv(C) @ geometric(60, 50, 0.8) @ np.linalg.pinv(R)
    expected = expected if core == "optimal" else np.linalg.inv(R[:, found.column_indices])
    close(U, expected, rtol=1e-8, atol=1e-10 * norm(expected))
    close(found.core.T @ np.eye(7), U.T, rtol=1e-9, atol=1e-12 * norm(U))
    close(found.core @ R[:, 3], U @ R[:, 3], atol=1e-9)
    close(found.core.H @ np.ones(7), U.T @ np.ones(7), rtol=1e-9, atol=1e-9 * norm(U))


def test_the_core_keeps_digits_that_its_entries_lose():
    """Of an ill-conditioned crossing: as factors it leaves rounding, multiplied out much more."""
    data = geometric(200, 150, 0.6)
    found = cur(data, 60, core="cross", rng=0)
    explicit = found.columns @ np.linalg.inv(data[np.ix_(found.row_indices, found.column_indices)])
    lost = norm(data - explicit @ found.rows)
    assert found.error < 1e-9 * norm(data)
    assert norm(data - found.columns @ (found.core @ found.rows)) <= 2 * found.error + 1e-14
    assert found.error <= lost


@pytest.fixture
def work(monkeypatch):
    """Names of the expensive steps that were taken."""
    done = []
    for name in ("products", "residual", "times"):
        method = getattr(Matrix, name)
        monkeypatch.setattr(
            Matrix, name, lambda self, *a, _n=name, _m=method: done.append(_n) or _m(self, *a)
        )
    for name, core in _core.CORES.items():
        monkeypatch.setitem(
            _core.CORES, name, lambda *a, _n=name, _c=core: done.append(_n) or _c(*a)
        )
    return done


def test_nothing_is_computed_before_it_is_asked_for(work):
    found = cur(A, 5, rng=0)
    repr(found)
    assert found.rows.shape == (5, 20) and found.columns.shape == (30, 5)
    assert not work
    assert found.error_estimate > 0
    assert not work
    assert found.core.shape == (5, 5)
    assert work == ["optimal", "products"]
    assert found.coefficients.shape == (5, 20)
    assert work == ["optimal", "products"]
    assert found.error == found.error
    assert work == ["optimal", "products", "residual"]


@every_core
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_pickled_results_are_complete_without_the_data(core, form):
    data = np.random.default_rng(0).normal(size=(600, 500))
    found = cur(form(data), 4, core=core, rng=0)
    pickled = pickle.dumps(found)
    assert len(pickled) < data.nbytes / 10
    copy = pickle.loads(pickled)
    assert copy.error == found.error
    assert copy.error_estimate == found.error_estimate
    same(copy.coefficients, found.coefficients)
    same(copy.core @ np.eye(4), found.core @ np.eye(4))
    assert (copy.columns != found.columns).sum() == 0
    assert pickle.loads(pickle.dumps(copy)).error == found.error


def test_estimates_do_not_depend_on_what_was_asked_before():
    one, other = (cur(A, 5, rng=0) for _ in range(2))
    assert (one.error, one.error_estimate) == (other.error_estimate, other.error)[::-1]


def estimates(n_seeds):
    """Of what is left with rank one, relative to it."""
    data = geometric(60, 40, 0.5)[:, :2]
    found = [cur(data, 1, core="cross", rng=seed) for seed in range(n_seeds)]
    return np.array([result.error_estimate / result.error for result in found])


def test_how_far_off_estimates_are():
    """The norm of 64 normal numbers, over its expectation: a standard deviation of 9 %."""
    ratios = estimates(100)
    assert 0.065 < ratios.std() < 0.115
    assert abs(ratios.mean() - 1) < 0.03


def wide(form):
    """Sparse matrices of which nothing is left after 5 columns; 480 MB as arrays."""
    if form == "nothing":
        return sparse.csr_array((1000, 60_000))
    some = sparse.random(5, 60_000, 0.02, random_state=0, format="csr")
    return sparse.csr_array(sparse.vstack([some] * 200))


def peak(function, *args):
    """Memory that a call takes, in bytes."""
    tracemalloc.start()
    function(*args)
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


@pytest.mark.parametrize("form", ["repeated rows", "nothing"])
def test_memory_of_errors(form):
    """Some rows at a time are dense, however wide they are."""
    found = cur(wide(form), 5, sketch="sparse_sign", rng=0)
    assert peak(lambda: found.core) < 150e6
    assert peak(lambda: found.error) < 150e6
    matrix = Matrix("A", wide(form), "sparse_sign", None, np.random.default_rng(0))
    matrix.sketch(1)  # tells the unit
    assert peak(getattr, matrix, "norm") < 150e6


@pytest.mark.parametrize("form", ["repeated rows", "nothing"])
def test_memory_of_choices(form):
    """Sketches of sparse matrices take memory for themselves, and not for rows of the matrix."""
    data = wide(form)
    assert peak(lambda: cur(data, 5, rng=0)) < 150e6


@every_core
@pytest.mark.parametrize("form", [np.array, sparse.csr_array])
def test_data_that_have_changed(core, form):
    """Rows that are known tell so."""
    data = form(A)
    found = cur(data, 5, core=core, rng=0)
    copy = pickle.loads(pickle.dumps(cur(data, 5, core=core, rng=0)))
    known = found.rows
    data *= 2.0
    for name in ("core", "coefficients", "error"):
        with pytest.raises(ValueError, match="A was changed after rows and columns were chosen"):
            getattr(found, name)
    same((found.rows != known).sum(), 0)
    data /= 2.0
    assert found.core.shape == (5, 5)
    data *= 2.0
    with pytest.raises(ValueError, match="A was changed"):
        found.error  # noqa: B018
    close(copy.error, cur(form(A), 5, core=core, rng=0).error, rtol=1e-9)
