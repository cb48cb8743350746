"""OneBatchPAM: FasterPAM in view of one random batch of objects.

A. de Mathelin, N. E. Cecchi, F. Deheeger, M. Mougeot, N. Vayatis,
"OneBatchPAM: a fast and frugal k-medoids algorithm", AAAI 2025.
"""

import numpy as np

from ._search import Search, eager_in_blocks

_KEPT = 1 << 30  # bytes of costs that are kept from pass to pass


def one_batch(objects, medoids, weights, batch_size, rng, run, n_fixed=0, n_threads=1):
    """Choose medoids among all objects by the costs of serving a batch of them.

    Parameters
    ----------
    objects : Objects
    medoids : ndarray of shape (k,), int64
        Initial ones, the fixed ones first.
    weights : ndarray of shape (n,), float64
        Those of weight zero are neither in the batch nor medoids.
    batch_size : int or None
        None means 100 ln(k n).
    rng : numpy.random.Generator
    run : Run
    n_fixed : int, default=0
    n_threads : int, default=1

    Returns
    -------
    result : KMedoidsResult
        Loss and labels are those of all objects; the history tells the loss of
        the batch.
    """
    batch = draw_batch(weights, len(medoids), batch_size, rng)
    candidates, shares = objects.distinct(weights)
    # A column counts for all that are nearest to it (NNIW).
    batch_weights = np.bincount(objects.nearest(batch, candidates)[0], shares, len(batch))
    kernels = objects.kernels
    search = Search(
        kernels, objects.costs(medoids, batch), np.arange(len(medoids)),
        kernels.to_device(batch_weights), n_threads, medoids, n_fixed,
    )  # fmt: skip
    blocks = _Blocks(objects, batch, candidates)
    eager_in_blocks(search, blocks, len(candidates), run, objects.require_finite)
    return objects.result(kernels.to_host(search.medoids), weights, run)


def draw_batch(weights, k, batch_size, rng):
    """Return random objects, the likelier the more they weigh, in order."""
    eligible = np.flatnonzero(weights > 0)
    size = int(100 * np.log(k * len(weights))) if batch_size is None else batch_size
    size, shares = min(max(size, k), len(eligible)), weights[eligible]
    equal = bool((shares == shares[0]).all())
    shares = None if equal else shares / shares.sum()
    return np.sort(rng.choice(eligible, size, replace=False, p=shares))


class _Blocks:
    """Costs of serving the batch by all candidates, some of them at a time."""

    def __init__(self, objects, batch, candidates):
        self.objects, self.batch, self.candidates = objects, batch, candidates
        self.step = objects.block(len(batch))
        self.kept, self.room = {}, _KEPT

    def __call__(self):
        for lo in range(0, len(self.candidates), self.step):
            ids = self.candidates[lo : lo + self.step]
            order = self.objects.kernels.xp.arange(len(ids))
            yield self._rows(lo, ids), order, self.objects.kernels.to_device(ids)

    def _rows(self, lo, ids):
        if lo in self.kept:
            return self.kept[lo]
        rows = self.objects.costs(ids, self.batch)
        if rows.nbytes <= self.room:
            self.room -= rows.nbytes
            self.kept[lo] = rows
        return rows
