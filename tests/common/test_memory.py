"""New memory is written before it is read: results do not depend on what was there."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from lowrank_la.cluster import KMedoids
from tests.common.api import fit, fitted_attributes, functions_of, instance, public_estimators

RNG = np.random.default_rng(0)
X = RNG.integers(0, 4, (90, 3)).astype(np.float64)  # rows that are equal, too
DISS = np.abs(X[:, None] - X).sum(axis=2)
EMPTY = np.empty

ESTIMATORS = [instance(cls) for cls in public_estimators()]
ESTIMATORS += [
    KMedoids(5, method=method, metric=metric, random_state=0, max_iter=30)
    for method, metric in [
        ("matrix_free", "cityblock"), ("matrix_free", "euclidean"), ("pamsil", "euclidean"),
        ("fastermsc", "euclidean"), ("fastpam2", "cosine"), ("alternate", "cityblock"),
    ]
]  # fmt: skip


@pytest.fixture
def dirty(monkeypatch):
    """A function that fills all memory that `numpy.empty` gives from now on."""

    def fill(floats, integers):
        def empty(shape, dtype=float, **options):
            array = EMPTY(shape, dtype, **options)
            kind = array.dtype.kind
            array[...] = floats if kind == "f" else integers if kind in "iu" else 0
            return array

        monkeypatch.setattr(np, "empty", empty)

    return fill


def bits(fitted):
    found = fitted_attributes(fitted).items()
    return {name: np.asarray(value).tobytes() for name, value in found}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_estimators(estimator, dtype, dirty):
    weights = {"sample_weight": RNG.integers(0, 3, len(X))}
    weights = weights if has_fit_parameter(estimator, "sample_weight") else {}
    expected = bits(fit(clone(estimator), X.astype(dtype), **weights))
    for floats, integers in [(np.nan, 1), (-np.inf, 0), (1e30, 2), (0.0, 100)]:
        dirty(floats, integers)
        fitted = fit(clone(estimator), X.astype(dtype), **weights)
        assert bits(fitted) == expected


@pytest.mark.parametrize("solve", functions_of("diss"), ids=lambda solve: solve.__name__)
def test_solvers(solve, dirty):
    name = list(inspect.signature(solve).parameters)[1]
    argument = np.arange(90) % 5 if name == "labels" else [3, 40, 5, 80] if name != "k" else 4
    solve(DISS, argument)  # compiles: kernels are not to see what stands in for numpy.empty
    results = []
    for floats, integers in [(0.0, 0), (np.nan, 1), (-np.inf, 100), (1e30, 2)]:
        dirty(floats, integers)
        result = solve(DISS, argument)
        result = vars(result) if hasattr(result, "medoids") else {"score": result[0]}
        results.append({key: np.asarray(value).tobytes() for key, value in result.items()})
    assert all(result == results[0] for result in results)
