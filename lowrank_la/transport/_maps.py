"""Points moved by entropic transport: the map that the potentials of a solution define."""

import numpy as np

from .._support.blocks import thread_count
from ._costs import ArrayCosts
from ._plans import soft_transform, sparse_plan
from ._problem import prepare

_ROOM = 1 << 25  # entries of a matrix of costs that is made, at most
_FEW_COORDINATES = 4  # with so few, distances are made again as fast as they are read
_BLOCK = 1 << 22  # entries of a map that are looked at together
_ROUNDING = 1e-9  # of the largest cost: a smaller unit would be that of rounding errors
_LEFT_OUT = 1e-9  # of each mass, at most, in a sparse plan


def tabulated(cloud):
    """Return the distances between two clouds as an array, if it is faster and small enough."""
    n, m = cloud.shape
    if cloud.X.shape[1] <= _FEW_COORDINATES or n * m > _ROOM:
        return cloud
    return ArrayCosts(cloud.dense())


def cost_unit(costs, norm):
    """Return a unit of costs, judged by rows spread over all; not zero.

    Costs whose rows and columns have a mean of zero lead to the same plan: of the others, a part,
    as that of a shift between the clouds, has nothing to do with how much regularisation is much.
    """
    if norm is None:
        return 1.0
    some = costs.some_rows()
    largest = float(some.max())
    if norm == "centered":
        some = some - some.mean(axis=0)
        some -= some.mean(axis=1, keepdims=True)
    unit = float(some.std() if norm == "centered" else np.median(some))
    return unit if unit > _ROUNDING * largest else largest or 1.0


def entropic_map(kernels, cloud, potential, reg, images):
    """Move points: each becomes an average of the images of those that the potential is of.

    The weights of the average are softmax((g[j] - cost[i, j]) / reg) where all masses are the same.
    For a point that the potentials were found with they are its row of the plan, divided by its
    mass: the barycentric projection [1]_. For others, they extend this map [2]_.

    Parameters
    ----------
    kernels : module
    cloud : CloudCosts of shape (n, m)
        Distances from the points to those that the potential is of.
    potential : array of shape (m,)
    reg : float
    images : array of shape (m, d)
        Points, or anything else that averages are wanted of.

    Returns
    -------
    moved : array of shape (n, d)

    References
    ----------
    .. [1] S. Ferradans, N. Papadakis, G. Peyre, J.-F. Aujol. Regularized discrete optimal
       transport. SIAM J. Imaging Sci. 7(3), 2014.
    .. [2] A.-A. Pooladian, J. Niles-Weed. Entropic estimation of optimal transport maps.
       arXiv:2109.12004 (2021).
    """
    n, m = cloud.shape
    step, moved = max(1, _BLOCK // m), kernels.xp.empty((n, images.shape[1]))
    for first in range(0, n, step):
        rows = slice(first, first + step)
        part = tabulated(cloud.take(rows, slice(None)))
        moved[rows] = _weights(kernels, part, potential, reg) @ images
    return moved


def _weights(kernels, costs, potential, reg):
    """Rows of the plan, each of mass 1."""
    xp, (n, m), n_threads = kernels.xp, costs.shape, thread_count(-1)
    masses = kernels.to_device(np.full(m, 1 / m))
    h = soft_transform(kernels, costs, potential, masses, reg, n_threads)
    ones, plan = kernels.to_device(np.ones(n)), xp.empty((n, m))
    args = costs.for_kernels(kernels), costs.kind, ones, potential + reg * xp.log(masses), reg, h
    kernels.evaluate(*args, n_threads, plan)
    return plan


def coupling(costs, potentials, reg, device, *given):
    """Plan of some potentials, between equal masses, as a CSR array of the entries that matter."""
    problem = prepare(costs, None, None, -1, device, *given)
    xp = problem.kernels.xp
    g = problem.starting_potential(potentials) + reg * xp.log(problem.b)
    share = _LEFT_OUT / max(costs.shape)
    return sparse_plan(problem, xp.zeros(len(problem.a)), g, reg, share)
