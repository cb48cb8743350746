"""Clustering around medoids."""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "KMedoids": "_estimators",
        "KMedoidsResult": "_pam",
        "fasterpam": "_pam",
        "pam_build": "_pam",
        "pairwise_distances": "_distances",
    },
)
