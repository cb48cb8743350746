"""Matrices approximated by some of their own rows and columns.

======================  ==============================================================
CURNeighbors            nearest items under a costly similarity, from a few evaluations
rp_cholesky             a positive semi-definite matrix from a few of its columns
RPCholeskyKernelMap     features of a kernel from the same columns
RPCholeskyResult        what rp_cholesky returns
======================  ==============================================================
"""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CURNeighbors": "_estimators_neighbors",
        "RPCholeskyKernelMap": "_estimators_kernel",
        "RPCholeskyResult": "_rp_cholesky",
        "rp_cholesky": "_rp_cholesky",
    },
)
