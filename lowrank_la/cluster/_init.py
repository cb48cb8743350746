"""Initial medoids."""

import numbers

import numpy as np

from .._support.validation import check_choice

INITS = ("random", "first", "build", "lab", "k-medoids++")
RANDOM_INITS = ("random", "lab", "k-medoids++")
NO_MEDOIDS = np.empty(0, np.int64)


def check_init(init):
    """Refuse an unknown name."""
    check_choice("init", init, INITS)


def check_medoids(medoids, n, name="medoids"):
    """Return a number of medoids, or an int64 array of distinct initial ones."""
    if isinstance(medoids, numbers.Integral) and not isinstance(medoids, bool):
        if not 1 <= medoids <= n:
            raise ValueError(f"{name}={medoids}: between 1 and n={n} are possible")
        return int(medoids)
    given = np.asarray(medoids)
    if given.ndim > 1:
        raise ValueError(f"{name} has shape {given.shape}: numbers of objects are needed, not rows")
    if given.ndim != 1 or not given.size or given.dtype.kind not in "iu":
        raise ValueError(
            f"{name}={medoids!r}: an integer, or a one-dimensional array of indices, is needed"
        )
    if given.min() < 0 or given.max() >= n:
        raise ValueError(f"{name} has indices outside 0..{n - 1}")
    if len(np.unique(given)) < len(given):
        raise ValueError(f"{name} has duplicates: medoids must be distinct objects")
    return given.astype(np.int64)


def check_fixed(fixed, medoids, n):
    """Return indices of the objects that must be medoids."""
    if fixed is None or not np.size(fixed):
        return NO_MEDOIDS
    fixed = check_medoids(np.atleast_1d(fixed), n, "fixed_medoids")
    if isinstance(medoids, np.ndarray):
        if not np.isin(fixed, medoids).all():
            raise ValueError("fixed_medoids has objects that are not among the initial medoids")
    elif len(fixed) > medoids:
        raise ValueError(f"fixed_medoids has {len(fixed)} objects for {medoids} medoids")
    return fixed


def initial_medoids(costs, medoids, weights, init, rng, fixed=NO_MEDOIDS):
    """Resolve a number of medoids into indices; fixed ones come first.

    Parameters
    ----------
    costs : Dissimilarities
    medoids : int or ndarray of shape (k,)
        Given ones are returned in their order, after the fixed ones.
    weights : array of shape (n,)
        On the device of the costs.
    init : str
        One of `INITS`.
    rng : numpy.random.Generator
    fixed : ndarray of int64
        Objects that are medoids whatever `init` says.

    Returns
    -------
    medoids : ndarray of shape (k,), int64
    """
    free = free_objects(costs.kernels.to_host(weights), medoids, fixed)
    if isinstance(medoids, np.ndarray):
        return np.concatenate([fixed, besides(medoids, fixed)])
    if init == "first":
        return np.concatenate([fixed, free[: medoids - len(fixed)]])
    if init == "random":
        return random_medoids(free, medoids, rng, fixed)
    return _one_by_one(costs, medoids, weights, _CHOOSE[init], rng, fixed)


def free_objects(weights, medoids, fixed):
    """Return those that could become medoids besides the fixed ones, if there are enough."""
    free = besides(np.flatnonzero(weights > 0), fixed)
    if isinstance(medoids, np.ndarray):
        if (weights[besides(medoids, fixed)] == 0).any():
            raise ValueError("sample_weight is zero for an initial medoid that is not fixed")
    elif len(free) + len(fixed) < medoids:
        raise ValueError(
            f"sample_weight leaves {len(free) + len(fixed)} objects for {medoids} medoids"
        )
    return free


def besides(objects, fixed):
    """Return the objects that are not fixed."""
    return objects[~np.isin(objects, fixed)] if len(fixed) else objects


def random_medoids(free, k, rng, fixed=NO_MEDOIDS):
    """Return the fixed medoids and as many distinct others as are wanted."""
    return np.concatenate([fixed, rng.choice(free, k - len(fixed), replace=False)])


def _one_by_one(costs, k, weights, choose, rng, fixed):
    """Medoids that are chosen one after the other, each in view of those before."""
    xp, rows = costs.kernels.xp, costs.rows
    near = xp.full(len(costs), np.inf, rows.dtype)
    medoids = np.empty(k, np.int64)
    left = weights > 0
    for slot in range(k):
        chosen = fixed[slot] if slot < len(fixed) else choose(costs, near, weights, left, rng)
        medoids[slot] = chosen
        left[chosen] = False  # duplicates of a medoid gain nothing, but it is never chosen twice
        near = xp.minimum(near, rows[chosen])
    if costs.confirm(near, costs.diss[:, medoids].min(axis=1), weights):
        return medoids
    return _one_by_one(costs, k, weights, choose, rng, fixed)


def _best_of_all(costs, near, weights, left, rng):
    """Object that lowers the loss most (BUILD): O(n²)."""
    losses = costs.matrix.loss_with(costs.rows, near, weights, costs.n_threads)
    costs.require_finite(float(abs(losses).max()))
    losses[~left] = np.inf
    return int(losses.argmin())


def _best_of_sample(costs, near, weights, left, rng):
    """Object of a sample that lowers the sample's loss most (LAB): O(n)."""
    eligible = np.flatnonzero(costs.kernels.to_host(left))
    size = min(len(eligible), 10 + int(np.ceil(np.sqrt(len(costs)))))
    sample = rng.choice(eligible, size, replace=False)
    among = costs.rows[sample[:, None], sample]
    losses = (weights[sample] * costs.kernels.xp.minimum(among, near[sample])).sum(axis=1)
    costs.require_finite(float(losses.sum()))
    return int(sample[int(losses.argmin())])


def _by_cost(costs, near, weights, left, rng):
    """Random object; the more it costs so far, the likelier (k-medoids++): O(n)."""
    shares = costs.kernels.to_host(weights * left)
    if np.isfinite(near[0]):  # not the first one
        served = shares * np.maximum(costs.kernels.to_host(near), 0)
        costs.require_finite(float(served.sum()))
        shares = served if served.any() else shares
    return int(rng.choice(len(shares), p=shares / shares.sum()))


_CHOOSE = {"build": _best_of_all, "lab": _best_of_sample, "k-medoids++": _by_cost}
