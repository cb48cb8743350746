"""Least squares, and regression by other powers of residuals, on tall data.

========================  ==========================================================
lstsq                     coefficients, residuals, rank, condition and backward error
SketchedLinearRegression  the estimator: a drop-in for LinearRegression, and Ridge
LpRegression              the estimator of any power, and of quantiles
lp_regression             least absolute residuals, quantiles, any power up to infinity
LstsqResult               what lstsq returns
LpRegressionResult        what lp_regression returns
========================  ==========================================================
"""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "LpRegression": "_estimators_lp",
        "LpRegressionResult": "_lp",
        "LstsqResult": "_lstsq",
        "SketchedLinearRegression": "_estimators",
        "lp_regression": "_lp",
        "lstsq": "_lstsq",
    },
)
