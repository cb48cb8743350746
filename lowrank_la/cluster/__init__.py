"""Clustering around medoids."""

from .._support.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "DynMSC": "_estimators_silhouette",
        "DynMSCResult": "_dynmsc",
        "CLARA": "_estimators_clara",
        "CLARANS": "_estimators_sampled",
        "KMedoids": "_estimators",
        "KMedoidsResult": "_solve",
        "OneBatchKMedoids": "_estimators_sampled",
        "alternating": "_pam",
        "dynmsc": "_dynmsc",
        "fastermsc": "_msc",
        "fasterpam": "_pam",
        "fastmsc": "_msc",
        "fastpam1": "_pam",
        "fastpam2": "_pam",
        "medoid_silhouette": "_silhouette",
        "pairwise_distances": "_distances",
        "pam": "_pam",
        "pam_build": "_pam",
        "pammedsil": "_msc",
        "pamsil": "_silhouette",
        "silhouette": "_silhouette",
    },
)
