"""Least squares on tall data.

========================  ==========================================================
lstsq                     coefficients, residuals, rank, condition and backward error
SketchedLinearRegression  the estimator: a drop-in for LinearRegression, and Ridge
LstsqResult               what lstsq returns
========================  ==========================================================
"""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "LstsqResult": "_lstsq",
        "SketchedLinearRegression": "_estimators",
        "lstsq": "_lstsq",
    },
)
