"""Whatever is passed: a right answer, or an error that names the argument; input untouched."""

import inspect
import pickle
import re
from functools import partial, wraps

import numba
import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone, is_regressor
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import has_fit_parameter

from tests.common.api import (
    arguments,
    fit,
    fitted_attributes,
    functions_of,
    functions_of_masses,
    instance,
    modules,
    public_estimators,
    public_functions,
)
from tests.layouts import dense_forms, sparse_forms

RNG = np.random.default_rng(0)
X = RNG.integers(-50, 50, (60, 4)).astype(np.float64)
DISS = np.abs(X[:, None] - X).sum(axis=2)
ERRORS = (ValueError, TypeError)

ESTIMATORS = [instance(cls) for cls in public_estimators()]
SCORES = {"meds": [0, 1, 2], "labels": np.arange(60) % 3}  # by their second arguments


def names(function):
    return list(inspect.signature(function).parameters)


def at_its_number(function):
    """Make a search for the number of medoids keep to that which it is given."""

    @wraps(function)
    def solve(diss, medoids, **options):
        whole = type(medoids) is int and medoids > 0
        return function(diss, medoids, **{"minimum_k": medoids if whole else 1} | options)

    return solve if "minimum_k" in names(function) else function


SOLVERS = [  # (diss, medoids or how many, ...)
    at_its_number(function) for function in functions_of("diss") if names(function)[1] not in SCORES
]
SCORERS = [function for function in functions_of("diss") if names(function)[1] in SCORES]
MASSES = functions_of_masses()  # have a file of their own: test_bad_masses
DISTANCES = [function for function in functions_of("X") if function not in MASSES]  # (X, Y=None)
GRAPHS = functions_of("A", "n_components")  # see embedding/test_bad_input
LEAST_SQUARES = functions_of("A", "b")  # see linear_model/test_bad_input
CHOICES = functions_of("A", "k")  # see decomposition/test_decomposition_bad_input, test_rp_cholesky
COMPLETION = functions_of("rows")  # see completion/test_complete, test_undetermined
SENSING = functions_of("A", "y") + functions_of("A", "shape")  # see sensing/test_checks
SAMPLING = [  # see sampling/test_bad_input
    function
    for function in functions_of("A") + functions_of("scores") + functions_of("blocks")
    if function not in GRAPHS + LEAST_SQUARES + CHOICES + SENSING
]


def test_every_function_belongs_to_a_family_below():
    assert set(public_functions()) == {
        *functions_of("diss"), *DISTANCES, *MASSES, *GRAPHS, *LEAST_SQUARES, *CHOICES, *SAMPLING,
        *COMPLETION, *SENSING,
    }  # fmt: skip


def name_of(value):
    return getattr(value, "__name__", type(value).__name__)


def assert_named(error, *names):
    assert re.search("|".join(rf"\b{name}\b" for name in names), str(error.value)), error.value


def fitted_names(estimator):
    return [name for name in vars(estimator) if name.endswith("_") and not name.startswith("_")]


def refused(call, argument, *names):
    """The call raises an error that names the argument, which keeps its bits."""
    kept = pickle.dumps(argument)
    with pytest.raises(ERRORS) as error:
        call(argument)
    assert_named(error, *names)
    assert pickle.dumps(argument) == kept


def with_entry(array, value):
    array = array.copy()
    array[3, 1] = value
    return array


# Matrices that are none

NOT_REAL = {
    "complex": lambda a: a + 1j,
    "words": lambda a: np.full(a.shape, "word"),
    "objects": lambda a: np.full(a.shape, object()),
    "nothing": lambda a: None,
    "a number": lambda a: 1.0,
}
NOT_FINITE = {
    "NaN": lambda a: with_entry(a, np.nan),
    "infinite": lambda a: with_entry(a, np.inf),
    "minus infinity": lambda a: with_entry(a, -np.inf),
    "all NaN": lambda a: np.full_like(a, np.nan),
    "float32 NaN": lambda a: with_entry(a.astype(np.float32), np.nan),
}
NO_MATRIX = {
    "empty": lambda a: a[:0, :0],
    "no rows": lambda a: a[:0],
    "no columns": lambda a: a[:, :0],
    "one dimension": lambda a: a[0],
    "three dimensions": lambda a: a[None],
    "ragged": lambda a: [[1.0], [1.0, 2.0]],
    "empty list": lambda a: [],
}
NOT_NUMBERS = ("words", "objects")
BAD = NOT_REAL | NOT_FINITE | NO_MATRIX
# scikit-learn's messages on data speak of an array, or of what cannot be a float.
DATA = ("X", "arrays?", "[Cc]omplex", "float", "NoneType")


def takes(estimator, bad, fitted=False):
    """Whether gaps, or labels of any kind, are data for an estimator."""
    tags = estimator.__sklearn_tags__().input_tags
    gaps = ("NaN", "float32 NaN", "all NaN") if fitted else ("NaN", "float32 NaN")
    return (tags.allow_nan and bad in gaps) or (tags.string and bad == "words")


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_estimators_refuse(estimator, bad):
    if takes(estimator, bad):
        return
    estimator = clone(estimator)
    refused(partial(fit, estimator), BAD[bad](X), *DATA)
    assert not fitted_names(estimator)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_fitted_estimators_refuse(estimator, bad):
    estimator = fit(clone(estimator), X)
    before = pickle.dumps(estimator)
    for method in ("predict", "transform", "score", "fit"):
        if method == "transform" and isinstance(estimator, SelectorMixin) and bad in NOT_NUMBERS:
            continue  # scikit-learn's selects from columns of any kind
        if takes(estimator, bad, fitted=method != "fit") and method != "predict":
            continue
        if hasattr(estimator, method):
            given = arguments if method in ("score", "fit") else lambda _, X: (X,)
            call = getattr(estimator, method)
            refused(
                lambda X, call=call, given=given: call(*given(estimator, X)), BAD[bad](X), *DATA
            )
            assert pickle.dumps(estimator) == before, "a failure changed the fitted estimator"


@pytest.mark.parametrize("bad", [*BAD, "not square", "sparse", "text", "dates"])
@pytest.mark.parametrize("solve", SOLVERS, ids=name_of)
def test_solvers_refuse(solve, bad):
    cases = BAD | {
        "not square": lambda a: a[:-1],
        "sparse": sparse.csr_array,
        "text": lambda a: a.astype(str),
        "dates": lambda a: a.astype("datetime64[s]"),
    }
    refused(lambda diss: solve(diss, 3), cases[bad](DISS), "diss")


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("metric", ["cityblock", "euclidean", "cosine"])
@pytest.mark.parametrize("distances", DISTANCES, ids=name_of)
def test_distances_refuse(distances, metric, bad):
    refused(partial(distances, metric=metric), BAD[bad](X), *DATA)
    refused(partial(distances, X, metric=metric), BAD[bad](X) if bad != "nothing" else "Y",
            "Y", *DATA)  # fmt: skip


@pytest.mark.parametrize("distances", DISTANCES, ids=name_of)
def test_distances_need_as_many_features(distances):
    for metric in ("cityblock", "euclidean"):
        refused(partial(distances, X, metric=metric), X[:, :3], "Y", "dimension")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solve", SOLVERS, ids=name_of)
def test_solvers_find_every_entry_that_is_not_finite(solve, dtype, order, value):
    for i, j, k in [(0, 0, 1), (0, 5, 2), (5, 0, 2), (4, 4, 3), (2, 1, 6), (3, 3, 6), (1, 4, 1)]:
        diss = DISS[:6, :6].astype(dtype, order=order)
        diss[i, j] = value
        refused(lambda diss, k=k: solve(diss, k), diss, "diss")


# Other arguments

BAD_WEIGHTS = {
    "too few": np.ones(59),
    "too many dimensions": np.ones((60, 1)),
    "negative": np.r_[-1.0, np.ones(59)],
    "NaN": np.r_[np.nan, np.ones(59)],
    "infinite": np.r_[np.inf, np.ones(59)],
    "all zero": np.zeros(60),
    "text": np.full(60, "a"),
    "complex": np.full(60, 1j),
    "a word": "word",
}


@pytest.mark.parametrize("bad", BAD_WEIGHTS)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_estimators_refuse_weights(estimator, bad):
    if not has_fit_parameter(estimator, "sample_weight"):
        return
    estimator = clone(estimator)
    weights = BAD_WEIGHTS[bad]
    refused(lambda weights: fit(estimator, X, sample_weight=weights), weights, "sample_weight")
    assert not fitted_names(estimator)


@pytest.mark.parametrize("bad", BAD_WEIGHTS)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_scores_refuse_weights(estimator, bad):
    score = getattr(type(estimator), "score", len)
    ours = score.__module__.startswith("lowrank_la")
    if not ours or "sample_weight" not in inspect.signature(score).parameters:
        return
    if hasattr(estimator, "estimator"):  # whose score refuses what it does
        return
    score = fit(clone(estimator), X).score
    weights = BAD_WEIGHTS[bad]
    given = arguments(estimator, X)
    refused(lambda weights: score(*given, sample_weight=weights), weights, "sample_weight")


@pytest.mark.parametrize("bad", BAD_WEIGHTS)
@pytest.mark.parametrize("solve", SOLVERS, ids=name_of)
def test_solvers_refuse_weights(solve, bad):
    weights = BAD_WEIGHTS[bad]
    refused(lambda weights: solve(DISS, 3, sample_weight=weights), weights, "sample_weight")


@pytest.mark.parametrize("solve", SOLVERS, ids=name_of)
def test_more_medoids_than_positive_weights(solve):
    weights = np.r_[np.ones(4), np.zeros(56)]
    assert sorted(solve(DISS, 4, sample_weight=weights).medoids) == [0, 1, 2, 3]
    refused(lambda weights: solve(DISS, 5, sample_weight=weights), weights, "sample_weight")


@pytest.mark.parametrize("solve", SOLVERS, ids=name_of)
def test_weights_that_overflow_are_named(solve):
    refused(lambda weights: solve(DISS, 3, sample_weight=weights), np.full(60, 1e308),
            "sample_weight")  # fmt: skip


BAD_MEDOIDS = [
    0, -1, 61, 2.5, 3.0, True, "three", None, np.nan, [], [0, 0], [-1, 0], [0, 60], [0.0, 1.0],
    [[0, 1]], [True, False], ["a"], [np.nan, 1], [0, None],
]  # fmt: skip


@pytest.mark.parametrize("medoids", BAD_MEDOIDS, ids=str)
@pytest.mark.parametrize("solve", SOLVERS, ids=name_of)
def test_solvers_refuse_medoids(solve, medoids):
    refused(partial(solve, DISS), medoids, names(solve)[1])


@pytest.mark.parametrize("bad", [*NOT_REAL, *NO_MATRIX, "NaN", "infinite", "negative"])
@pytest.mark.parametrize("score", SCORERS, ids=name_of)
def test_scores_refuse(score, bad):
    cases = BAD | {"negative": lambda a: with_entry(a, -1.0)}
    refused(lambda diss: score(diss, SCORES[names(score)[1]]), cases[bad](DISS), "diss")


def optional(function):
    return [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not inspect.Parameter.empty
        if name not in ("Y", "callback")  # data, tested above; and Python tells what is no function
    ]


OPTIONS = [
    pytest.param(function, first, name, id=f"{function.__name__}-{name}")
    for functions, first in (
        (SOLVERS, (DISS, 3)),
        (DISTANCES, (X,)),
        *(([function], (DISS, SCORES[names(function)[1]])) for function in SCORERS),
    )
    for function in functions
    for name in optional(function)
]


@pytest.mark.parametrize("value", [object(), "nonsense", -7.5], ids=name_of)
@pytest.mark.parametrize(("function", "arguments", "name"), OPTIONS)
def test_functions_refuse_nonsense(function, arguments, name, value):
    with pytest.raises(ERRORS) as error:
        function(*arguments, **{name: value})
    assert_named(error, name)


@pytest.mark.parametrize("value", [object(), -7.5], ids=name_of)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_estimators_refuse_nonsense(estimator, value):
    numbers = ("normalization_strength", "self_influence", "coef0", "missing_values")  # any will do
    for name in estimator.get_params():
        if value != -7.5 or name not in numbers:
            wrong = clone(estimator).set_params(**{name: value})
            refused(lambda X, wrong=wrong: wrong.fit(*arguments(estimator, X)), X, own_name(name))


def own_name(parameter):
    """What an estimator inside calls its parameter."""
    return parameter.split("__")[-1]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_estimators_refuse_counts_of_nothing(estimator):
    for name in estimator.get_params():
        least = -1 if name == "n_perturbations" else 0
        fraction = np.nan if name == "max_time" else 1.5
        if own_name(name).startswith(("n_", "max_", "min_")) and own_name(name) != "n_jobs":
            for value in (least, -1, fraction, "1"):
                wrong = clone(estimator).set_params(**{name: value})
                refused(partial(fit, wrong), X, own_name(name))


# Matrices that are unusual, and fine


def fit_bits(estimator, data):
    fitted = fit(clone(estimator), data)
    return {
        name: (value.toarray() if sparse.issparse(value) else np.asarray(value)).tobytes()
        for name, value in fitted_attributes(fitted).items()
    }


def native_or_double(forms):
    """Without foreign float32, which scikit-learn's validation turns into float64."""
    return [(name, form) for name, form in forms.items() if form.dtype != np.dtype(">f4")]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_layout_does_not_matter_to_estimators(estimator, dtype, tmp_path):
    data = X.astype(dtype)
    expected = fit_bits(estimator, data)
    for name, form in native_or_double(dense_forms(data, tmp_path)):
        kept = pickle.dumps(form)
        assert fit_bits(estimator, form) == expected, name
        assert pickle.dumps(form) == kept, name


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_sparse_layout_does_not_matter_to_estimators(estimator):
    if not estimator.__sklearn_tags__().input_tags.sparse:
        return
    data = X * (RNG.random(X.shape) < 0.5)
    forms = sparse_forms(data)
    if hasattr(estimator, "missing_values"):  # what is stored is observed, zeros among it
        del forms["repeated entries"], forms["explicit zeros"]
    expected = fit_bits(estimator, forms["csr array"])
    for name, form in forms.items():
        kept = pickle.dumps(form)
        assert fit_bits(estimator, form) == expected, name
        assert pickle.dumps(form) == kept, name


@pytest.mark.parametrize("dtype", ["float16", "int8", "int64", "longdouble", "bool"])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_other_numbers_are_converted(estimator, dtype):
    data = X.astype(dtype)
    assert fit_bits(estimator, data) == fit_bits(estimator, data.astype(np.float64))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", ["cityblock", "euclidean", "cosine"])
@pytest.mark.parametrize("distances", DISTANCES, ids=name_of)
def test_layout_does_not_matter_to_distances(distances, metric, dtype, tmp_path):
    data = X.astype(dtype)
    expected = distances(data, data[:7], metric=metric)
    assert expected.dtype == dtype
    for name, form in native_or_double(dense_forms(data, tmp_path)):
        found = distances(form, form[:7], metric=metric)
        assert found.dtype == dtype, name
        np.testing.assert_array_equal(found, expected, err_msg=name)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solve", SOLVERS, ids=name_of)
def test_layout_does_not_matter_to_solvers(solve, symmetric, dtype, tmp_path):
    diss = (DISS if symmetric else DISS + RNG.integers(0, 9, DISS.shape)).astype(dtype)
    init = inspect.signature(solve).parameters.get("init")
    start = [3, 1, 4] if init and init.default == "random" else 3
    expected = solve(diss, start)
    for name, form in dense_forms(diss, tmp_path).items():
        kept = pickle.dumps(form)
        found = solve(form, start)
        np.testing.assert_array_equal(found.medoids, expected.medoids, err_msg=name)
        np.testing.assert_array_equal(found.labels, expected.labels, err_msg=name)
        assert found.loss == expected.loss, name
        assert pickle.dumps(form) == kept, name


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="the JIT is off")
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_no_layout_compiles_a_kernel_twice(estimator, tmp_path):
    def compiled():
        return {
            f"{module.__name__}.{name}": len(value.signatures)
            for module in modules()
            for name, value in vars(module).items()
            if isinstance(value, numba.core.registry.CPUDispatcher)
        }

    for fitted in (estimator, ESTIMATORS[0]):  # the one may have no kernels
        fit(clone(fitted), X)
    before = compiled()
    assert sum(before.values()) > 3
    for form in dense_forms(X, tmp_path).values():
        fit(clone(estimator), form)
    assert compiled() == before


EXTREME = {
    "one column": X[:, :1],
    "one repeated row": np.tile(X[:1], (30, 1)),
    "all zero": np.zeros((30, 3)),
    "rank one": np.outer(np.arange(30.0), [1, 2, 3]),
    "huge": X * 1e300,
    "tiny": X * 1e-300,
    "subnormal": X * 1e-310,
    "as many rows as clusters": X[:8],
    "more columns than rows": X[:12].T.repeat(3, axis=0),
    "one outlier": np.r_[X, [[1e12] * 4]],
}


@pytest.mark.parametrize("case", EXTREME)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_extreme_data_give_finite_results(estimator, case):
    data = EXTREME[case]
    kept = data.copy()
    try:
        fitted = fit(clone(estimator), data)
    except ERRORS as error:
        assert re.search(r"\bX\b", str(error))
    else:
        for name in fitted_names(fitted):
            value = np.asarray(getattr(fitted, name))
            assert value.dtype.kind != "f" or np.isfinite(value).all(), name
    np.testing.assert_array_equal(data, kept)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_one_sample_is_enough_or_too_few(estimator):
    if getattr(estimator, "bipartite", False):  # a star is a graph
        assert np.isfinite(clone(estimator).fit_transform(X[:1])).all()
        return
    if is_regressor(estimator):  # a constant
        assert np.isfinite(fit(clone(estimator), X[:1]).predict(X)).all()
        return
    if hasattr(estimator, "fit_resample"):  # it stands for itself
        assert clone(estimator).fit(X[:1]).sample_weight_ == [1.0]
        return
    if hasattr(estimator, "missing_values"):  # it has no gaps
        assert np.isfinite(clone(estimator).fit(X[:1]).transform(X)).all()
        return
    if hasattr(estimator, "selection"):  # it has a column
        assert clone(estimator).fit(X[:1]).transform(X).shape == (len(X), 1)
        return
    if hasattr(estimator, "kernel"):  # it has a kernel with itself
        assert clone(estimator).fit(X[:1]).transform(X).shape == (len(X), 1)
        return
    with pytest.raises(ValueError, match="sample"):
        fit(clone(estimator), X[:1])


@pytest.mark.parametrize("case", [*EXTREME, "1x1"])
@pytest.mark.parametrize("solve", SOLVERS, ids=name_of)
def test_extreme_dissimilarities(solve, case):
    scale = {"huge": 1e300, "tiny": 1e-300, "subnormal": 1e-320}.get(case, 1.0)
    data = X[:1] if case == "1x1" else EXTREME[case] / scale
    diss = np.abs(data[:, None] - data).sum(axis=2) * scale
    result = solve(diss, min(4, len(diss)))
    assert len(np.unique(result.medoids)) == min(4, len(diss))
    served = diss[np.arange(len(diss)), result.medoids[result.labels]]
    np.testing.assert_array_equal(served, diss[:, result.medoids].min(axis=1))
    if not solve.__module__.endswith(("msc", "_silhouette")):
        assert result.loss == pytest.approx(served.sum(), rel=1e-12, abs=0)
