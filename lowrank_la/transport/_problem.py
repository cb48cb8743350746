"""A transport problem as the solvers see it: checked, without what has no mass, masses of sum 1."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.blocks import thread_count
from .._support.cuda import is_device_array, resolve_device, to_host, twin
from .._support.validation import as_floats, check_threads

_SAME_TOTAL = 1e-6  # relative: what masses in float32 are off by
_PARALLEL_FROM = 1 << 18  # entries; with fewer, a thread costs more than it gives


@dataclass(frozen=True, eq=False)
class Problem:
    """Masses, costs, and where they lie.

    Attributes
    ----------
    costs : ArrayCosts or CloudCosts
        Of what has mass; the side with fewer points are its columns.
    a, b : arrays of shape (n,) and (m,)
        Positive masses of its rows and columns, of sum 1.
    total : float
        Sum of the masses that were given.
    rows, columns : ndarray of int
        Which of the given rows and columns have mass.
    transposed : bool
        Whether the rows of the problem are columns of what was given.
    given : ArrayCosts or CloudCosts
    offset : float
        What `costs` are less than those that were given.
    """

    costs: Any
    arrays: Any  # what the kernels read the costs from
    a: Any
    b: Any
    total: float
    rows: np.ndarray
    columns: np.ndarray
    transposed: bool
    given: Any
    offset: float
    device: str
    n_threads: int
    stays: bool  # on the GPU, where it was given

    @property
    def kernels(self):
        """Module with the kernels for the device; a module could not be pickled."""
        return twin(__package__, self.device)

    @property
    def kind(self):
        return self.costs.kind

    @property
    def size(self):
        """Entries of the plan."""
        return math.prod(self.costs.shape)

    def evaluate(self, h, g, reg, *plan):
        """Masses of the plan's rows and columns, and its cost; the plan, into an array."""
        return self.kernels.evaluate(
            self.arrays, self.kind, self.a, g, reg, h, self.n_threads, *plan
        )

    def starting_potential(self, warmstart):
        """Potential of the columns from those of an earlier solution; None without one."""
        if warmstart is None:
            return None
        potentials = getattr(warmstart, "potentials", warmstart)
        try:
            f, g = (np.asarray(to_host(x), np.float64) for x in potentials)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"warmstart must be a TransportResult, or its two potentials: {error}"
            ) from error
        if (f.shape, g.shape) != tuple((n,) for n in self.given.shape):
            raise ValueError(
                f"warmstart has potentials of shape {f.shape} and {g.shape}: vectors with an entry "
                f"for each of the {self.given.shape} rows and columns of M are needed"
            )
        phi = f[self.rows] if self.transposed else g[self.columns]
        if not np.isfinite(phi).all():
            raise ValueError("warmstart has potentials that are NaN or infinite")
        return self.kernels.to_device(phi)


def prepare(costs, a, b, n_cpu, device, *given):
    """Check masses against costs, and put both in the order and the place that solvers need."""
    check_threads("n_cpu", n_cpu)
    device = resolve_device(device, *given)
    a, b, total = check_masses(a, b, costs.shape)
    a, b = a / a.sum(), b / b.sum()
    rows, columns = np.flatnonzero(a), np.flatnonzero(b)
    used = costs if len(rows) == len(a) and len(columns) == len(b) else costs.take(rows, columns)
    used.require_arcs()
    used, offset = used.without_offset()
    n, m = used.shape
    transposed = n < m or (n == m and used.prefers_transpose)
    masses = [a[rows], b[columns]]
    if transposed:
        used, masses = used.transposed(), masses[::-1]
    kernels = twin(__package__, device)
    return Problem(
        costs=used,
        arrays=used.for_kernels(kernels),
        a=kernels.to_device(masses[0]),
        b=kernels.to_device(masses[1]),
        total=total,
        rows=rows,
        columns=columns,
        transposed=transposed,
        given=costs,
        offset=offset,
        device=device,
        n_threads=thread_count(n_cpu) if n * m >= _PARALLEL_FROM else 1,
        stays=any(map(is_device_array, given)),
    )


def check_masses(a, b, shape):
    """Return two vectors of masses, and their sum; None or an empty one means equal masses."""
    a, b = (_masses(*args) for args in zip(("a", "b"), (a, b), shape, strict=True))
    totals = a.sum(), b.sum()
    if abs(totals[0] - totals[1]) > _SAME_TOTAL * max(totals):
        raise ValueError(
            f"a has a total mass of {totals[0]:.12g}, but b of {totals[1]:.12g}: they must be the "
            "same; divide each by its sum, perhaps"
        )
    return a, b, float(totals[0])


def _masses(name, masses, n):
    masses = to_host(as_floats(name, [] if masses is None else masses))
    if masses.shape == (0,):
        return np.full(n, 1 / n)
    if masses.shape != (n,):
        raise ValueError(
            f"{name} has shape {masses.shape}: ({n},) is needed, for the rows (a) or columns (b)"
        )
    masses = masses.astype(np.float64)
    if not (masses.min() >= 0 and 0 < masses.max() <= np.finfo(np.float64).max / n):
        raise ValueError(f"{name} must hold masses that are not negative or NaN, nor all zero, of "
                         "a finite sum")  # fmt: skip
    return masses
