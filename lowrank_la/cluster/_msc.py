"""Clustering by the medoid silhouette: FasterMSC, FastMSC and PAMMEDSIL.

Lenssen & Schubert, "Medoid silhouette clustering with automatic cluster number
selection", Information Systems 120 (2024).
"""

from .._support.validation import check_integer, warn_not_converged
from ._dissimilarities import Dissimilarities
from ._msc_search import RatioSearch, check_problem, optimise


def fastermsc(
    diss,
    medoids,
    max_iter=100,
    init="random",
    random_state=None,
    *,
    sample_weight=None,
    n_cpu=-1,
    device=None,
    callback=None,
):
    """Cluster objects around k of them by the average medoid silhouette (FasterMSC).

    The medoid silhouette of an object is 1 - a / b, where a is its cost to the
    nearest medoid and b to the second nearest (0 / 0 counts as 0). Every
    candidate in turn is tried against all medoids at once, and takes the place
    of the one that it improves on most. The result is a local optimum under
    every single swap of a medoid for another object.

    Parameters
    ----------
    diss : array_like of shape (n, n)
        Dissimilarities that are not negative: ``diss[i, j]`` is the cost of
        serving object i by medoid j. Otherwise as for :func:`fasterpam`.
    medoids : int or array_like of shape (k,)
        How many medoids to choose, or the initial ones as indices.
    max_iter : int, default=100
        Passes over the candidates at most.
    init : str, default="random"
        Initial medoids if `medoids` is a number, as for :func:`fasterpam`.
    random_state : None, int, Generator or RandomState, default=None
        Seeds random initial medoids.
    sample_weight : array_like of shape (n,), default=None
        Non-negative weights: an object of weight 2 counts as two. An object of
        weight zero never becomes a medoid.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. Swaps that are made as
        they are found use one.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where `diss` lies.
    callback : callable, default=None
        Called after each pass with a dict of ``n_iter``, ``loss`` and ``k``; if
        it returns True the search stops there.

    Returns
    -------
    result : KMedoidsResult
        As of :func:`fasterpam`, but ``loss`` and ``history`` are average
        medoid silhouettes: between 0 and 1, and more is better, as in the
        package kmedoids. ``n_iter`` counts the passes over the candidates,
        and the last, which finds nothing more to improve, is one of them.

    Raises
    ------
    ValueError
        If an argument is not what is described here; dissimilarities that are
        NaN, infinite or negative are found when they are first read.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` passes were not enough, and no callback stopped the search.

    See Also
    --------
    dynmsc : Chooses the number of medoids, too.

    Notes
    -----
    A pass costs O(n²) for all k medoids together; besides the matrix, O(n)
    memory is needed. With one medoid there is no second nearest one: its
    silhouette is 0, and the medoid of least total cost is returned.

    References
    ----------
    L. Lenssen, E. Schubert. Medoid silhouette clustering with automatic cluster
    number selection. Information Systems 120, 102290 (2024).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import fastermsc
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> result = fastermsc(abs(x[:, None] - x), 2, random_state=0)
    >>> sorted(result.medoids.tolist()), round(result.loss, 4)
    ([1, 4], 0.9327)
    """
    return _maximise(
        "fastermsc", RatioSearch.swap_eagerly, max_iter, callback,
        diss, medoids, init, random_state, sample_weight, n_cpu, device,
    )  # fmt: skip


def fastmsc(
    diss,
    medoids,
    max_iter=100,
    init="random",
    random_state=None,
    *,
    sample_weight=None,
    n_cpu=-1,
    device=None,
    callback=None,
):
    """Cluster objects around k of them by the average medoid silhouette (FastMSC).

    Like :func:`fastermsc`, but each pass makes the one swap that is best of
    all. It is the slower for it, and its result no better on average.

    Parameters
    ----------
    diss : array_like of shape (n, n)
        Dissimilarities that are not negative, as for :func:`fastermsc`.
    medoids : int or array_like of shape (k,)
        How many medoids to choose, or the initial ones as indices.
    max_iter : int, default=100
        Passes over the candidates, and so swaps, at most.
    init : str, default="random"
        Initial medoids if `medoids` is a number, as for :func:`fasterpam`.
    random_state : None, int, Generator or RandomState, default=None
        Seeds random initial medoids.
    sample_weight : array_like of shape (n,), default=None
        Non-negative weights, as for :func:`fastermsc`.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result is the same
        for any number.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where `diss` lies.
    callback : callable, default=None
        Called after each pass with a dict of ``n_iter``, ``loss`` and ``k``; if
        it returns True the search stops there.

    Returns
    -------
    result : KMedoidsResult
        As of :func:`fastermsc`: ``n_iter`` counts the passes over the
        candidates, one for each swap and a last one that finds none.

    Raises
    ------
    ValueError
        As :func:`fastermsc`.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` passes were not enough, and no callback stopped the search.

    Notes
    -----
    A pass costs O(n²) for all k medoids together, and makes at most one swap.

    References
    ----------
    L. Lenssen, E. Schubert. Medoid silhouette clustering with automatic cluster
    number selection. Information Systems 120, 102290 (2024).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import fastmsc
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> fastmsc(abs(x[:, None] - x), [0, 1]).medoids.tolist()
    [4, 1]
    """
    return _maximise(
        "fastmsc", RatioSearch.swap_best, max_iter, callback,
        diss, medoids, init, random_state, sample_weight, n_cpu, device,
    )  # fmt: skip


def pammedsil(
    diss,
    medoids,
    max_iter=100,
    init="build",
    random_state=None,
    *,
    sample_weight=None,
    n_cpu=-1,
    device=None,
    callback=None,
):
    """Cluster objects around k of them by the average medoid silhouette (PAMMEDSIL).

    From the same initial medoids this makes the same swaps as the original
    algorithm, which tries all k (n - k) swaps one by one in O(n² k²). It is
    :func:`fastmsc` from the initial medoids of :func:`pam_build`.

    Parameters
    ----------
    diss : array_like of shape (n, n)
        Dissimilarities that are not negative, as for :func:`fastermsc`.
    medoids : int or array_like of shape (k,)
        How many medoids to choose, or the initial ones as indices.
    max_iter : int, default=100
        Passes over the candidates, and so swaps, at most.
    init : str, default="build"
        Initial medoids if `medoids` is a number, as for :func:`fasterpam`.
    random_state : None, int, Generator or RandomState, default=None
        Seeds random initial medoids.
    sample_weight : array_like of shape (n,), default=None
        Non-negative weights, as for :func:`fastermsc`.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result is the same
        for any number.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where `diss` lies.
    callback : callable, default=None
        Called after each pass with a dict of ``n_iter``, ``loss`` and ``k``; if
        it returns True the search stops there.

    Returns
    -------
    result : KMedoidsResult
        As of :func:`fastermsc`: ``n_iter`` counts the passes over the
        candidates, one for each swap and a last one that finds none.

    Raises
    ------
    ValueError
        As :func:`fastermsc`.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` passes were not enough, and no callback stopped the search.

    Notes
    -----
    A pass costs O(n²) for all k medoids together, the initial medoids O(n² k).

    References
    ----------
    M. Van der Laan, K. Pollard, J. Bryan. A new partitioning around medoids
    algorithm. Journal of Statistical Computation and Simulation 73 (8), 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import pammedsil
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> pammedsil(abs(x[:, None] - x), 2).medoids.tolist()
    [1, 4]
    """
    return _maximise(
        "pammedsil", RatioSearch.swap_best, max_iter, callback,
        diss, medoids, init, random_state, sample_weight, n_cpu, device,
    )  # fmt: skip


def _maximise(name, one_pass, max_iter, callback, *problem):
    """Check, search, and warn; who passes `Dissimilarities`, an estimator, warns itself."""
    max_iter = check_integer("max_iter", max_iter, 0)
    result, stopped = optimise(*check_problem(*problem), one_pass, max_iter, callback)
    if not (result.converged or stopped or isinstance(problem[0], Dissimilarities)):
        warn_not_converged(name, max_iter, stacklevel=4)
    return result
