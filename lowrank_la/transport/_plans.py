"""From the potentials that a solver found to plans and potentials of what was given."""

import numpy as np
from scipy.sparse import csr_array

from .._support.cuda import to_host

_BLOCK = 1 << 22  # entries of a plan that are looked at together


def dense_plan(problem, h, g, reg):
    """Plan in the shape, the dtype and the place of the costs that were given."""
    xp, costs, given = problem.kernels.xp, problem.costs, problem.given
    plan = xp.empty(costs.shape, costs.dtype)
    problem.evaluate(h, g, reg, plan)
    plan *= problem.total
    plan = plan.T if problem.transposed else plan
    if plan.shape != given.shape:
        whole = xp.zeros(given.shape, plan.dtype)
        whole[np.ix_(problem.rows, problem.columns)] = plan
        plan = whole
    return plan if problem.stays else problem.kernels.to_host(plan)


def sparse_plan(problem, h, g, reg, share, rows=None):
    """Entries of the plan above a share of both masses; its rows have the masses a if not given."""
    _, kept = problem.kernels.scaling_pass(
        problem.arrays, problem.kind, problem.a, g, reg, h.copy(), problem.n_threads,
        share, problem.b, 16 * len(problem.a), problem.size,
    )  # fmt: skip
    starts, stops = to_host(kept.starts), to_host(kept.stops)
    breaks = np.flatnonzero(starts[1:] != stops[:-1])  # gaps between blocks of rows
    runs = list(zip(starts[[0, *(breaks + 1)]], stops[[*breaks, -1]], strict=True))
    columns, values = (
        np.concatenate([to_host(array[first:last]) for first, last in runs])
        for array in (kept.columns, kept.values)
    )
    del kept
    values *= problem.total
    lengths, sides = stops - starts, (problem.rows, problem.columns)
    if rows is not None:
        values *= np.repeat(to_host(rows / problem.a), lengths)
    rows, others = sides[::-1] if problem.transposed else sides
    n_rows, n_others = problem.given.shape[:: -1 if problem.transposed else 1]
    ends = np.zeros(n_rows + 1, np.int64)
    ends[rows + 1] = lengths
    columns = columns if len(others) == n_others else others.astype(np.int32)[columns]
    plan = csr_array((values, columns, ends.cumsum()), shape=(n_rows, n_others))
    return plan.T.tocsr() if problem.transposed else plan


def plan_blocks(problem, h, g, reg):
    """Yield slices of rows, and the plan and the costs there."""
    n, m = problem.costs.shape
    step = max(1, _BLOCK // m)
    for first in range(0, n, step):
        rows = slice(first, min(n, first + step))
        part = problem.costs.take(rows, slice(None))
        plan = problem.kernels.xp.empty(part.shape)
        arrays = part.for_kernels(problem.kernels)
        problem.kernels.evaluate(
            arrays, part.kind, problem.a[rows], g, reg, h[rows], problem.n_threads, plan
        )
        yield rows, plan, problem.kernels.to_device(part.dense())


def all_potentials(problem, h, phi, reg):
    """Centred potentials of the rows and columns that were given, those without mass too."""
    h = h + problem.offset
    shift = (float(problem.b @ phi) - float(problem.a @ h)) / 2
    rows, columns = (h + shift, problem.a), (phi - shift, problem.b)
    if problem.transposed:
        rows, columns = columns, rows
    given, transposed = problem.given, problem.given.transposed()
    f = _completed(problem, rows[0], problem.rows, given, problem.columns, *columns, reg)
    g = _completed(problem, columns[0], problem.columns, transposed, problem.rows, *rows, reg)
    return tuple(x if problem.stays else problem.kernels.to_host(x) for x in (f, g))


def _completed(problem, potential, used, costs, others, their_potential, their_masses, reg):
    """Potential of one side, with what a small mass would have where there is none."""
    n = costs.shape[0]
    if len(used) == n:
        return potential
    rest = np.setdiff1d(np.arange(n), used)
    whole = problem.kernels.xp.empty(n)
    whole[used] = potential
    whole[rest] = soft_transform(
        problem.kernels, costs.take(rest, others), their_potential, their_masses, reg
    )
    return whole


def soft_transform(kernels, costs, potential, masses, reg, n_threads=1):
    """Potential of the rows of some costs that goes with that of their columns."""
    xp, n = kernels.xp, costs.shape[0]
    h = xp.zeros(n)
    g = potential + reg * xp.log(masses)
    arrays, ones = costs.for_kernels(kernels), kernels.to_device(np.ones(n))
    kernels.scaling_pass(arrays, costs.kind, ones, g, reg, h, n_threads)
    return xp.where(xp.isnan(h), np.inf, h)  # no arc leads there
