"""What is true of every score: invariances, repetitions, edges, layouts, threads."""

import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse

from tests.layouts import dense_forms, sparse_forms
from tests.linear_model.problems import haar, one_hot
from tests.sampling.problems import RNG, SCORES, SHAPES, A
from tests.strategies import integers

every_score = pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
close = np.testing.assert_allclose
problems = st.tuples(st.integers(1, 9), st.integers(1, 3)).flatmap(
    lambda sizes: st.tuples(integers(sizes, -3, 3), integers(sizes[0], 0, 3))
)


def tolerance(score):
    """Regressions end at relative gaps of 1e-6."""
    exact = score not in (SCORES["sensitivity, 1"], SCORES["sensitivity, 1.5"])
    return 1e-7 if exact and score is not SCORES["sensitivity, 3"] else 2e-6


@every_score
@settings(max_examples=15)
@given(problem=problems)
def test_in_the_unit_interval_and_zero_for_zero_rows(score, problem):
    rows = problem[0].astype(float)
    scores = score(rows)
    assert scores.shape == (len(rows),)
    assert np.all((scores >= 0) & (scores <= 1))
    np.testing.assert_array_equal(scores == 0, ~rows.any(axis=1))


@every_score
@settings(max_examples=15)
@given(problem=problems)
def test_weights_are_repetitions(score, problem):
    """The scores of a row's copies add up to its own, and copies share theirs."""
    rows, weights = (array.astype(float) for array in problem)
    assume(weights.any())
    origin = np.repeat(np.arange(len(rows)), weights.astype(int))
    of_copies = score(rows[origin])
    weighted = score(rows, sample_weight=weights)
    together = np.bincount(origin, of_copies, len(rows))
    if score is SCORES["root leverage"]:
        together = np.minimum(together, weights)
    close(weighted, together, rtol=tolerance(score), atol=1e-9)
    for row in np.unique(origin):
        close(of_copies[origin == row], of_copies[origin == row][0], rtol=tolerance(score))


@every_score
@settings(max_examples=15)
@given(problem=problems, entries=integers((3, 3), -2, 2))
def test_operations_on_columns_change_nothing(score, problem, entries):
    rows = problem[0].astype(float)
    d = rows.shape[1]
    invertible = (np.tril(entries[:d, :d], -1) + np.eye(d)) @ (
        np.triu(entries[:d, :d], 1) + np.eye(d)
    )
    close(score(rows @ invertible), score(rows), rtol=tolerance(score), atol=1e-9)


@every_score
def test_order_of_rows_is_free(score):
    order = RNG.permutation(len(A))
    close(score(A[order]), score(A)[order], rtol=tolerance(score))


@every_score
@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1e170, 1e300])
def test_columns_of_any_size(score, scale):
    expected = score(A)
    close(score(A * scale), expected, rtol=tolerance(score))
    close(score(A * [1.0, scale, 1.0, 1 / scale]), expected, rtol=tolerance(score))
    close(score(sparse.csr_array(A * scale)), expected, rtol=tolerance(score))


@every_score
@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e300])
def test_weights_of_any_size(score, scale):
    weights = RNG.random(len(A))
    weights[3] = 0.0
    expected, found = (score(A, sample_weight=w) for w in (weights, scale * weights))
    assert found[3] == 0
    close(found / found.sum(), expected / expected.sum(), rtol=tolerance(score))


@every_score
@pytest.mark.parametrize("shape", SHAPES)
def test_dense_and_sparse_of_any_shape(score, shape):
    rows = SHAPES[shape]
    scores = score(rows)
    assert np.isfinite(scores).all()
    assert np.all((scores >= 0) & (scores <= 1))
    assert not scores[~rows.any(axis=1)].any()
    close(score(sparse.csr_array(rows)), scores, rtol=tolerance(score), atol=1e-9)


@every_score
def test_a_row_of_its_own_direction_has_all_of_it(score):
    scores = score(SHAPES["a rare level"])
    assert scores[7] == pytest.approx(1.0, rel=1e-4)
    np.testing.assert_array_less(np.delete(scores, 7), 0.999)


@pytest.mark.filterwarnings("ignore:lewis_weights did not converge")  # to 1e-10: rounding
@every_score
def test_condition(score):
    """Of columns scaled to norm one: what rounding of A may change, no more."""
    rows, _, _ = haar(60, 4, 1e12, 0.0)
    well, _, _ = haar(60, 4, 1.0, 0.0)
    close(score(rows), score(well), rtol=2e-3)


@every_score
@pytest.mark.parametrize("rows", [
    np.diag([1e-300, 1.0, 1e300])[[0, 0, 1, 2]],
    np.array([[1e300, 1e300], [1e-300, -1e-300], [1e300, 2e300]]),
    A * np.logspace(-300, 300, len(A))[:, None],
    np.r_[A * 1e-160, [[1e160] * 4]],
])  # fmt: skip
def test_rows_of_wildly_different_sizes(score, rows):
    try:
        scores = score(rows)
    except ValueError as error:
        assert "A has rows of too different sizes" in str(error)
    else:
        assert np.isfinite(scores).all()
        assert np.all((scores >= 0) & (scores <= 1))
        assert scores.max() > 0.99


@every_score
def test_precision(score):
    single = A.astype(np.float32)
    found = score(single)
    assert found.dtype == np.float32
    assert score(sparse.csr_array(single)).dtype == np.float32
    assert score(single, sample_weight=np.ones(len(A))).dtype == np.float32
    close(found, score(single.astype(np.float64)), rtol=3e-6)
    integers = np.rint(10 * A)
    for dtype in ("int8", "int64", "float16", "longdouble"):
        np.testing.assert_array_equal(score(integers.astype(dtype)), score(integers))


@every_score
def test_layout_does_not_matter(score, tmp_path):
    weights = np.arange(len(A)) % 3.0
    expected = score(A, sample_weight=weights)
    for name, form in dense_forms(A, tmp_path).items():
        kept = pickle.dumps((form, weights))
        np.testing.assert_array_equal(score(form, sample_weight=weights), expected, err_msg=name)
        assert pickle.dumps((form, weights)) == kept, name
    data = A * (A > -0.5)
    forms = sparse_forms(data)
    expected = score(forms["csr array"])
    for name, form in forms.items():
        kept = pickle.dumps(form)
        np.testing.assert_array_equal(score(form), expected, err_msg=name)
        assert pickle.dumps(form) == kept, name


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize(
    "score", ["leverage", "stable leverage", "root leverage", "Lewis, 1", "Lewis, 6",
              "approximate sensitivity"],
)  # fmt: skip
def test_bits_do_not_depend_on_threads(score, form):
    rows, y = one_hot(20_000, 5)
    one, *others = (
        SCORES[score](form(rows), n_jobs=n_jobs, sample_weight=1 + abs(y)) for n_jobs in (1, 2, 3)
    )
    for other in others:
        np.testing.assert_array_equal(one, other)
