"""The estimator: scikit-learn's checks, rows in blocks, and what LinearRegression and Ridge do."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from lowrank_la.linear_model import SketchedLinearRegression


@parametrize_with_checks(
    [
        SketchedLinearRegression(random_state=0),
        SketchedLinearRegression("presketch", random_state=0),
        SketchedLinearRegression("spir", fit_intercept=False, random_state=0),
        SketchedLinearRegression("qr", alpha=0.5),
        SketchedLinearRegression("sketch", random_state=0),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
