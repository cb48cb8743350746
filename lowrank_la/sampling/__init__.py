"""Scores of rows, and weighted samples of rows that stand for all of them.

======================  ==============================================================
leverage_scores         the share that a row can have of a sum of squares
root_leverage_scores    powers of these, for other lp losses
lewis_weights           leverage scores of rows so scaled that they serve an lp loss
lp_sensitivities        the share that a row can have of an lp norm
total_sensitivity       their sum, from a few of them
sample_rows             rows in proportion to any scores, and their weights
RowSampler              the estimator: scores, and a sample
CoresetEstimator        any estimator, fitted on a sample
coreset                 a sample of rows that come in blocks
Coreset                 what coreset returns
LewisResult             what lewis_weights returns
TotalSensitivity        what total_sensitivity returns
======================  ==============================================================
"""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Coreset": "_estimators_blocks",
        "CoresetEstimator": "_estimators_coreset",
        "LewisResult": "_lewis",
        "RowSampler": "_estimators",
        "TotalSensitivity": "_sensitivity",
        "coreset": "_estimators_blocks",
        "leverage_scores": "_leverage",
        "lewis_weights": "_lewis",
        "lp_sensitivities": "_sensitivity",
        "root_leverage_scores": "_leverage",
        "sample_rows": "_draw",
        "total_sensitivity": "_sensitivity",
    },
)
