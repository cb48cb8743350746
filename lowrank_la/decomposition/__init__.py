"""Matrices approximated by some of their own rows and columns.

======================  ==============================================================
CUR                     columns, rows, and a core that puts the data together again
ColumnSubsetSelector    features of which all others are combinations
CURNeighbors            nearest items under a costly similarity, from a few evaluations
RPCholeskyKernelMap     features of a kernel, from some columns of its matrix
cur                     columns, rows and a core of an array
interpolative           all columns as combinations of some
select_columns          indices of columns
select_rows             indices of rows
rp_cholesky             a positive semi-definite matrix from a few of its columns
CURResult               what cur returns
InterpolativeResult     what interpolative returns
RPCholeskyResult        what rp_cholesky returns
======================  ==============================================================
"""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CUR": "_estimators",
        "CURNeighbors": "_estimators_neighbors",
        "CURResult": "_cur",
        "ColumnSubsetSelector": "_estimators",
        "InterpolativeResult": "_interpolative",
        "RPCholeskyKernelMap": "_estimators_kernel",
        "RPCholeskyResult": "_rp_cholesky",
        "cur": "_cur",
        "interpolative": "_interpolative",
        "rp_cholesky": "_rp_cholesky",
        "select_columns": "_interpolative",
        "select_rows": "_interpolative",
    },
)
