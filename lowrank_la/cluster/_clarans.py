"""CLARANS: swaps for random candidates until many in a row have improved nothing.

R. T. Ng, J. Han, "CLARANS: a method for clustering objects for spatial data
mining", IEEE TKDE 14 (2002); tried against all medoids at once and made eagerly
as in E. Schubert, P. J. Rousseeuw, "Fast and eager k-medoids clustering",
Information Systems 101 (2021).
"""

import numpy as np

from ._search import Search, eager_in_blocks


def clarans(objects, starts, weights, max_neighbors, rng, run, n_fixed=0, n_threads=1):
    """Return the best of some local searches, one from each start.

    Parameters
    ----------
    objects : Objects
    starts : iterable of ndarray of shape (k,), int64
        Initial medoids, the fixed ones first.
    weights : ndarray of shape (n,), float64
        An object of weight zero never becomes a medoid.
    max_neighbors : int
        Candidates in vain after which a search ends.
    rng : numpy.random.Generator
        Draws the order of the candidates.
    run : Run
    n_fixed : int, default=0
    n_threads : int, default=1

    Returns
    -------
    result : KMedoidsResult
    run : Run
        The last one.
    """
    best = None
    for start in starts:
        if best and (run.called_off or run.late):
            break
        run = run.anew()
        medoids = _local_search(
            objects, start, weights, max_neighbors, rng, run, n_fixed, n_threads
        )
        result = objects.result(medoids, weights, run)
        if best is None or result.loss < best.loss:
            best = result
    return best, run


def _local_search(objects, start, weights, max_neighbors, rng, run, n_fixed, n_threads):
    kernels = objects.kernels
    search = Search(
        kernels, objects.costs(start), np.arange(len(start)), kernels.to_device(weights),
        n_threads, start, n_fixed,
    )  # fmt: skip
    # One order for all rounds: nobody is tried twice in vain.
    order = rng.permutation(np.flatnonzero(weights > 0))
    enough = min(max_neighbors, len(order))
    step = min(enough, objects.block(len(objects)))

    def blocks():
        for ids in (order[lo : lo + step] for lo in range(0, len(order), step)):
            yield objects.costs(ids), kernels.xp.arange(len(ids)), kernels.to_device(ids)

    eager_in_blocks(search, blocks, enough, run, objects.require_finite)
    return kernels.to_host(search.medoids)
