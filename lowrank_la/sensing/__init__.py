"""Low-rank matrices from linear measurements of them.

====================  ====================================================
scaled_gd             factors, from measurements
gradient_descent      the same without a preconditioner, to compare with
subgradient           for absolute residuals, to compare with
====================  ====================================================
"""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "MatrixMeasurements": "_operators",
        "Measurements": "_operators",
        "SensingResult": "_result",
        "as_measurements": "_operators",
        "gradient_descent": "_scaled_gd",
        "scaled_gd": "_scaled_gd",
        "subgradient": "_subgradient",
    },
)
