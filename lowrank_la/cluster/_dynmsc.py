"""DynMSC: clustering by the medoid silhouette, and the number of clusters with it.

Lenssen & Schubert, "Medoid silhouette clustering with automatic cluster number
selection", Information Systems 120 (2024).
"""

from dataclasses import dataclass, field

import numpy as np

from .._support.validation import check_integer, warn_not_converged
from ._dissimilarities import Dissimilarities
from ._msc_search import RatioSearch, check_problem, confirmed, single_medoid, solution
from ._solve import KMedoidsResult


@dataclass(frozen=True, eq=False, kw_only=True)
class DynMSCResult(KMedoidsResult):
    """A clustering by medoids whose number was chosen, too.

    Attributes
    ----------
    loss : float
        Average medoid silhouette of the best clustering: more is better.
    labels : ndarray of shape (n,), int32
        Slot of the medoid that serves each object.
    medoids : ndarray of shape (bestk,), int64
        Objects chosen as medoids, by slot.
    bestk : int
        Number of medoids with the greatest silhouette; the greatest such number.
    losses : ndarray of shape (k - minimum_k + 1,)
        Average medoid silhouette for each number of medoids in `rangek`; NaN
        for those that a callback cut off.
    rangek : ndarray of shape (k - minimum_k + 1,), int64
        Numbers of medoids, rising.
    n_swap : int
        Swaps made, for all numbers together.
    n_iter : int
        Passes over the candidates, for all numbers together; for each number
        with the one that finds nothing to improve.
    converged : bool
        Whether no number was left before a whole round had found no swap.
    history : ndarray of shape (n_iter,)
        The silhouette after each pass; it falls where a medoid is dropped.
    """

    bestk: int
    losses: np.ndarray = field(repr=False)
    rangek: np.ndarray = field(repr=False)


def dynmsc(
    diss,
    medoids,
    minimum_k=2,
    max_iter=100,
    init="random",
    random_state=None,
    *,
    sample_weight=None,
    n_cpu=-1,
    device=None,
    callback=None,
):
    """Choose medoids, and how many, by the average medoid silhouette (DynMSC).

    :func:`fastermsc` for the greatest number of medoids; then, again and again,
    a medoid is dropped, and the search goes on from the others, until `minimum_k`
    are left. The best clustering of all is returned, with the silhouettes of all
    numbers.

    Parameters
    ----------
    diss : array_like of shape (n, n)
        Dissimilarities that are not negative, as for :func:`fastermsc`.
    medoids : int or array_like of shape (k,)
        The greatest number of medoids, or that many initial ones as indices.
    minimum_k : int, default=2
        The least number of medoids.
    max_iter : int, default=100
        Passes over the candidates at most, for each number of medoids.
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
        it returns True all ends there.

    Returns
    -------
    result : DynMSCResult
        The best clustering, with ``bestk``, ``losses`` and ``rangek``. Its
        ``n_iter``, ``n_swap`` and ``history`` are of the searches for all
        numbers together, so that ``n_iter`` may be more than `max_iter`.

    Raises
    ------
    ValueError
        As :func:`fastermsc`; and if `minimum_k` is more than the medoids.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` passes were not enough for some number of medoids, and no
        callback stopped the search.

    Notes
    -----
    A pass costs O(n²), and few are needed for each number, because each starts
    where the last one ended. The medoid dropped is the one whose removal costs
    most, as in the package kmedoids: the swaps that make up for it also lead
    out of poor local optima, in which the search often stays if it drops the
    medoid that is missed least.

    One medoid has silhouette 0.

    References
    ----------
    L. Lenssen, E. Schubert. Medoid silhouette clustering with automatic cluster
    number selection. Information Systems 120, 102290 (2024).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import dynmsc
    >>> x = np.append(np.linspace(0, 1, 10), np.linspace(10, 11, 10))
    >>> result = dynmsc(abs(x[:, None] - x), 4, random_state=0)
    >>> result.bestk, result.rangek.tolist()
    (2, [2, 3, 4])
    """
    max_iter = check_integer("max_iter", max_iter, 0)
    minimum_k = check_integer("minimum_k", minimum_k, 1)
    problem = check_problem(diss, medoids, init, random_state, sample_weight, n_cpu, device)
    if minimum_k > len(problem[1]):
        raise ValueError(f"minimum_k={minimum_k} is more than the {len(problem[1])} medoids")
    result, stopped = _descend(*problem, minimum_k, max_iter, callback)
    if not (result.converged or stopped or isinstance(diss, Dissimilarities)):
        warn_not_converged("dynmsc", max_iter)
    return result


def _descend(costs, medoids, weights, minimum_k, max_iter, callback):
    """DynMSC from given medoids; tell, too, whether the callback stopped it."""
    if len(medoids) == 1:
        return _one_medoid(costs, medoids, weights, max_iter, callback)
    search, best = RatioSearch(costs, medoids, weights), None
    rangek = np.arange(minimum_k, len(medoids) + 1)
    losses = np.where(rangek == 1, 0.0, np.nan)
    history, n_swap, converged = [], 0, True
    while True:
        swaps, done, stopped, history = search.run(search.swap_eagerly, max_iter, callback, history)
        k, n_swap, converged = len(search.medoids), n_swap + swaps, converged and done
        losses[k - minimum_k] = search.silhouette
        if best is None or search.silhouette > best[0]:
            best = search.silhouette, *(array.copy() for array in search.state[:3])
        if stopped or k <= max(minimum_k, 2):
            break
        search.remove_dearest()
    _, chosen, served, slots = best
    loss = confirmed(costs, chosen, slots, served, weights)
    if loss is None:
        return _descend(costs, medoids, weights, minimum_k, max_iter, callback)
    losses[len(chosen) - minimum_k] = loss
    result = DynMSCResult(
        loss=loss,
        **solution(costs, chosen, slots[0]),
        bestk=len(chosen),
        losses=losses,
        rangek=rangek,
        n_swap=n_swap,
        n_iter=len(history),
        converged=converged and not stopped,
        history=np.array(history),
    )
    return result, stopped


def _one_medoid(costs, medoids, weights, max_iter, callback):
    result, stopped = single_medoid(costs, medoids, weights, max_iter, callback)
    found = {name: getattr(result, name) for name in KMedoidsResult.__dataclass_fields__}
    rangek = np.ones(1, np.int64)
    return DynMSCResult(**found, bestk=1, losses=np.zeros(1), rangek=rangek), stopped
