"""Walks over what the package offers: new names are found, never listed."""

import importlib
import inspect
import pkgutil
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np

import lowrank_la

PACKAGE = Path(lowrank_la.__file__).parent


@cache
def _walk(module):
    found = {}
    for name in module.__all__:
        value = getattr(module, name)
        if isinstance(value, ModuleType):
            found |= _walk(value)
        else:
            found[f"{module.__name__}.{name}"] = value
    return found


def public_objects(kind=object):
    """Pairs of full name and public object."""
    return [(name, value) for name, value in _walk(lowrank_la).items() if isinstance(value, kind)]


def public_estimators():
    from sklearn.base import BaseEstimator

    return [cls for _, cls in public_objects(type) if issubclass(cls, BaseEstimator)]


def public_functions():
    return [value for _, value in public_objects() if inspect.isfunction(value)]


def public_operators():
    from scipy.sparse.linalg import LinearOperator

    return [cls for _, cls in public_objects(type) if issubclass(cls, LinearOperator)]


def functions_of(*first_arguments):
    """Public functions by the names of their first arguments."""
    return [
        function
        for function in public_functions()
        if tuple(inspect.signature(function).parameters)[: len(first_arguments)] == first_arguments
    ]


def functions_of_masses():
    """Public functions of two vectors of masses, a and b."""
    return [
        function
        for function in public_functions()
        if {"a", "b"} <= set(inspect.signature(function).parameters)
    ]


def instance(cls):
    """An instance that depends on no random start where it can do without, and takes any matrix."""
    deterministic = {"init": "build", "random_state": 0}
    deterministic |= {"sampler": lowrank_la.sampling.RowSampler(random_state=0)}
    offered = inspect.signature(cls).parameters
    if "bipartite" in offered:  # not only the matrices of graphs
        deterministic |= {"bipartite": True, "similarity": "adjacency"}
    return cls(**{name: value for name, value in deterministic.items() if name in offered})


def arguments(estimator, X):
    """What to fit, or score, an estimator with: X, and targets where it needs some."""
    if not estimator.__sklearn_tags__().target_tags.required:
        return (X,)
    n, tags = np.shape(X)[0] if np.ndim(X) else 1, estimator.__sklearn_tags__()
    several = tags.classifier_tags is None or tags.classifier_tags.multi_class
    return X, np.arange(n) % (7.0 if several else 2.0)


def fit(estimator, X, **options):
    return estimator.fit(*arguments(estimator, X), **options)


def fitted_attributes(estimator):
    """What a fit has found, by name; what estimators inside have found, among it."""
    found = {}
    for name, value in vars(estimator).items():
        if name.endswith("_") and not name.startswith("_"):
            inner = fitted_attributes(value) if hasattr(value, "get_params") else {"": value}
            found |= {f"{name}.{key}" if key else name: part for key, part in inner.items()}
    return found


def modules():
    """All modules of the package, private ones too, but for CUDA twins and the tour."""
    for info in pkgutil.walk_packages(lowrank_la.__path__, "lowrank_la."):
        if not info.name.endswith(("_cuda", "__main__")):
            yield importlib.import_module(info.name)
