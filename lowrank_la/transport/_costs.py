"""Where costs come from: an array, or two clouds of points."""

from functools import cached_property

import numpy as np
from scipy.spatial.distance import cdist

from .._support.cuda import is_device_array, to_host
from .._support.validation import as_floats
from ._cpu import METRICS

LARGEST = 1e150  # cost, and strength of regularisation; the inverse is the smallest strength
_SAMPLED = 32  # rows, to learn the scale of the costs from
_LEAST_SPREAD = 1e-74  # of coordinates: squares of less, or of more than its inverse, are lost
_OFFSET = 16.0  # times the spread of the costs: what is more than that in all of them is subtracted


class _Costs:
    """What costs have in common, wherever they come from."""

    @cached_property
    def spread(self):
        """Low (10 %) and median of what costs are above the least of their row, in some rows."""
        some = self.some_rows()
        with np.errstate(invalid="ignore"):  # all arcs of a row without mass may be forbidden
            above = some - some.min(axis=1, keepdims=True)
        above = above[np.isfinite(above) & (above > 0)]
        return tuple(np.quantile(above, (0.1, 0.5)).tolist()) if above.size else (0.0, 0.0)


class ArrayCosts(_Costs):
    """An array of costs: ``array[i, j]`` is what it costs to move a unit from i to j.

    What is made of the array is made once, for all problems that share the costs.

    Attributes
    ----------
    kind : str
        What the kernels call costs that come like this.
    forbids : bool
        Whether some costs are infinite.
    dtype : dtype
        Of the plan.
    """

    kind = "dense"

    def __init__(self, array, forbids=False):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.forbids, self._placed = forbids, None

    def require_arcs(self):
        """Refuse costs that forbid all arcs of a row or of a column."""
        if not self.forbids:
            return
        forbidden = self.array == np.inf
        for axis, what in ((1, "row"), (0, "column")):
            if bool(forbidden.all(axis=axis).any()):
                raise ValueError(f"M forbids (+inf) every arc of a {what} that has mass")

    @property
    def prefers_transpose(self):
        """Whether the columns are what lies together in memory."""
        return self.array.flags.f_contiguous and not self.array.flags.c_contiguous

    def transposed(self):
        return self._transposed

    @cached_property
    def _transposed(self):
        return ArrayCosts(self.array.T, self.forbids)

    def take(self, rows, columns):
        if isinstance(columns, slice):
            return ArrayCosts(self.array[rows, columns], self.forbids)
        return ArrayCosts(self.array[np.ix_(rows, columns)], self.forbids)

    def without_offset(self):
        """Costs without a large number that is in all of them, and that number.

        Potentials of its size would have too few digits left for what differs.
        """
        return (self._shifted, self._offset) if self._offset else (self, 0.0)

    @cached_property
    def _offset(self):
        some = self.some_rows().astype(np.float64)
        some = some[np.isfinite(some)]
        low = float(some.min()) if some.size else 0.0
        return low if abs(low) > _OFFSET * self.spread[1] else 0.0

    @cached_property
    def _shifted(self):
        return ArrayCosts(self.array - self.dtype.type(self._offset), self.forbids)

    def for_kernels(self, kernels):
        if self._placed is None:
            self._placed = kernels.to_device(self.array)
        return self._placed

    def dense(self):
        """As an array."""
        return self.array

    def some_rows(self):
        """Rows spread over all, as an array on the host."""
        return to_host(self.array[:: -(-len(self.array) // _SAMPLED)])


class CloudCosts(_Costs):
    """Distances between the rows of X and of Y, made when they are needed: O(n d) memory.

    Attributes are those of :class:`ArrayCosts`.
    """

    dtype = np.dtype(np.float64)
    prefers_transpose = forbids = False

    def __init__(self, X, Y, metric):
        self.X, self.Y, self.kind, self.shape = X, Y, metric, (len(X), len(Y))

    def transposed(self):
        return CloudCosts(self.Y, self.X, self.kind)

    def require_arcs(self):
        """Distances are finite."""

    def take(self, rows, columns):
        return CloudCosts(self.X[rows], self.Y[columns], self.kind)

    def without_offset(self):
        return self, 0.0

    def for_kernels(self, kernels):
        return kernels.Cloud(kernels.to_device(self.X), kernels.to_device(self.Y.T))

    def dense(self):
        return cdist(to_host(self.X), to_host(self.Y), self.kind)

    def some_rows(self):
        return self.take(slice(None, None, -(-len(self.X) // _SAMPLED)), slice(None)).dense()


def check_costs(M):
    """Return costs as floats; refuse NaN and minus infinity (plus infinity forbids an arc)."""
    array = as_floats("M", M)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"M has shape {array.shape}: a non-empty matrix of costs is needed")
    low, high = float(array.min()), float(array.max())
    forbids = high == np.inf
    if forbids and bool(np.isfinite(array).any()):
        high = float(array[np.isfinite(array)].max())
    if not (low > -np.inf and not np.isnan(high)):
        raise ValueError("M has costs that are NaN or minus infinity; only +inf, for an arc that "
                         "is forbidden, is allowed besides finite ones")  # fmt: skip
    if not (forbids and high == np.inf) and max(-low, high) > LARGEST:
        raise ValueError(
            f"M has costs of up to {max(-low, high):.1e}: at most {LARGEST:.0e}, or +inf for an "
            "arc that is forbidden, is allowed; scale M and reg"
        )
    return ArrayCosts(array, forbids)


def check_clouds(X, Y, metric):
    """Return the distances between two sets of points."""
    if metric not in METRICS:
        raise ValueError(f"metric={metric!r} is unknown; choose one of {list(METRICS)}")
    X, Y = (_points(name, points) for name, points in (("X", X), ("Y", Y)))
    if X.shape[1] != Y.shape[1]:
        raise ValueError(f"X has {X.shape[1]} features, but Y has {Y.shape[1]}")
    if is_device_array(X) != is_device_array(Y):
        X, Y = to_host(X), to_host(Y)
    # Distances do not change, and squares lose fewer digits.
    with np.errstate(over="ignore", invalid="ignore"):
        centre = X.mean(axis=0)
        X, Y = X - centre, Y - centre
    largest = max(float(abs(X).max()), float(abs(Y).max()))
    if not (largest == 0 or _LEAST_SPREAD < largest < 1 / _LEAST_SPREAD):
        raise ValueError(
            f"X and Y have coordinates that differ by {largest:.1e}: squares of that are out of "
            "the range of float64; scale them"
        )
    return CloudCosts(X, Y, metric)


def _points(name, points):
    points = as_floats(name, points)
    if points.ndim != 2 or not points.size:
        raise ValueError(f"{name} has shape {points.shape}: a non-empty array of points is needed")
    if not bool(np.isfinite(points).all()):
        raise ValueError(f"{name} has coordinates that are NaN or infinite")
    return points.astype(np.float64)
