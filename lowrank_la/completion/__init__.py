"""Matrices filled in from some of their entries.

=========================  ====================================================
MatrixCompletionRegressor  values of pairs of labels, such as ratings
LowRankImputer             gaps of a table
complete                   factors of a matrix, from indices and values
CompletionResult           what complete returns
=========================  ====================================================
"""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CompletionResult": "_result",
        "LowRankImputer": "_estimators_imputer",
        "MatrixCompletionRegressor": "_estimators_regressor",
        "complete": "_complete",
    },
)
