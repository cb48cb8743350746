"""Low-rank matrices from linear measurements of them.

=====================  ====================================================
LowRankRegressor       regression on matrices, with a coefficient of low rank
LowRankClassifier      the same for two classes
scaled_gd              factors, from measurements
gradient_descent       the same without a preconditioner, to compare with
subgradient            for absolute residuals, to compare with
as_measurements        measurements, from whatever describes them
MatrixMeasurements     a matrix, dense or sparse, or any linear operator
GaussianMeasurements   normal numbers, kept or made anew
RankOneMeasurements    a_i' X b_i, or a_i' X a_i
EntryMeasurements      entries of the matrix
TransformMeasurements  coefficients of a fast transform
KroneckerMeasurements  all pairs of two sets of vectors
=====================  ====================================================
"""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "EntryMeasurements": "_structured",
        "GaussianMeasurements": "_random",
        "KroneckerMeasurements": "_structured",
        "LowRankClassifier": "_estimators_classifier",
        "LowRankRegressor": "_estimators",
        "MatrixMeasurements": "_operators",
        "Measurements": "_operators",
        "RankOneMeasurements": "_structured",
        "SensingResult": "_result",
        "TransformMeasurements": "_random",
        "as_measurements": "_operators",
        "gradient_descent": "_scaled_gd",
        "scaled_gd": "_scaled_gd",
        "subgradient": "_subgradient",
    },
)
