"""scikit-learn's checks on every public estimator; none is expected to fail."""

import inspect
import pickle

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version

from tests.common.api import fit, instance, public_estimators

X = load_digits().data[:150]
OLD = parse_version(sklearn.__version__) < parse_version("1.9")


@parametrize_with_checks([instance(cls) for cls in public_estimators()])
def test_scikit_learn_checks(estimator, check):
    name = getattr(check, "func", check).__name__
    labels = estimator.__sklearn_tags__().input_tags.categorical
    if OLD and labels and name == "check_positive_only_tag_during_fit":
        pytest.skip("before 1.9 it takes a mean from integers in place")
    check(estimator)


@pytest.mark.parametrize("cls", public_estimators())
def test_constructor_only_stores(cls):
    for name, parameter in inspect.signature(cls).parameters.items():
        marker = object()
        assert getattr(cls(**{name: marker}), name) is marker
        assert parameter.default is not inspect.Parameter.empty


@pytest.mark.parametrize("cls", public_estimators())
def test_options_are_keyword_only(cls):
    kinds = [parameter.kind for parameter in inspect.signature(cls).parameters.values()]
    assert kinds[2:] == [inspect.Parameter.KEYWORD_ONLY] * len(kinds[2:])


@pytest.mark.parametrize("cls", public_estimators())
def test_a_refit_forgets(cls):
    once, again = fit(instance(cls), X), fit(fit(instance(cls), X[::-1, ::2]), X)
    assert vars(once).keys() == vars(again).keys()
    assert pickle.dumps(once.__getstate__()) == pickle.dumps(again.__getstate__())


@pytest.mark.parametrize("cls", public_estimators())
def test_fitted_attributes_are_documented(cls):
    fitted = fit(instance(cls), X)
    names = {name for name in vars(fitted) if name.endswith("_") and not name.startswith("_")}
    assert names
    assert not {name for name in names if f"\n    {name} : " not in cls.__doc__}


@pytest.mark.parametrize("cls", public_estimators())
def test_copies_predict_alike(cls):
    estimator = fit(instance(cls), X)
    copies = [pickle.loads(pickle.dumps(estimator)), fit(clone(estimator), X)]
    for method in ("predict", "transform"):
        if hasattr(estimator, method):
            expected = getattr(estimator, method)(X)
            for other in copies:
                np.testing.assert_array_equal(getattr(other, method)(X), expected)
