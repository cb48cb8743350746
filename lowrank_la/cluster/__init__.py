"""Clustering around medoids."""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "KMedoids": "_estimators",
        "KMedoidsResult": "_solve",
        "alternating": "_pam",
        "fasterpam": "_pam",
        "fastpam1": "_pam",
        "fastpam2": "_pam",
        "pam": "_pam",
        "pam_build": "_pam",
        "pairwise_distances": "_distances",
    },
)
