"""What is asked for: checked entries, and checked options."""

import math
import numbers
import warnings
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from .._support.cuda import resolve_device, to_host
from .._support.validation import (
    as_floats,
    check_choice,
    check_integer,
    check_weights,
)

SOLVERS = ("auto", "als", "gauss_newton", "gibbs")
LOSSES = ("squared", "huber", "l1")
_HEAVY = 1e15  # weights up to this, and as much below one
_SWEEPS = {"als": 100, "gauss_newton": 1000, "gibbs": 200}
_TOL = {"als": 1e-4, "gauss_newton": 1e-10, "gibbs": 0.0}


@dataclass(frozen=True)
class Data:
    """Checked entries."""

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    weights: np.ndarray | None
    shape: tuple

    def __len__(self):
        return len(self.values)

    def part(self, chosen):
        """Return some of them."""
        weights = None if self.weights is None else self.weights[chosen]
        rows, columns, values = (a[chosen] for a in (self.rows, self.columns, self.values))
        return replace(self, rows=rows, columns=columns, values=values, weights=weights)


@dataclass(frozen=True)
class Options:
    """How a matrix is fitted."""

    alpha: float
    ridge_exponent: float
    fit_bias: bool
    loss: str
    nonnegative: bool
    solver: str
    tol: float
    max_iter: int
    executor: Executor | None
    device: str
    callback: Callable | None


def checked_options(
    *, alpha, ridge_exponent, fit_bias, loss, nonnegative, solver, tol, max_iter, executor, device,
    callback,
):  # fmt: skip
    """Return options that agree with each other."""
    check_choice("solver", solver, SOLVERS)
    check_choice("loss", loss, LOSSES)
    for name, value in (("fit_bias", fit_bias), ("nonnegative", nonnegative)):
        check_flag(name, value)
    if not (callback is None or callable(callback)):
        raise ValueError(f"callback={callback!r} cannot be called")
    alpha = _checked_at_least_zero("alpha", alpha)
    if _checked_at_least_zero("ridge_exponent", ridge_exponent) > 1:
        raise ValueError(f"ridge_exponent={ridge_exponent!r} must be between 0 and 1")
    if solver == "auto":
        solver = "als" if alpha > 0 or nonnegative else "gauss_newton"
    tol = _TOL[solver] if tol is None else _checked_at_least_zero("tol", tol)
    max_iter = _SWEEPS[solver] if max_iter is None else check_integer("max_iter", max_iter, 1)
    options = Options(
        alpha, ridge_exponent, bool(fit_bias), loss, bool(nonnegative), solver, tol, max_iter,
        executor, resolve_device(device), callback,
    )  # fmt: skip
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ValueError(f"executor={executor!r} is not one of concurrent.futures")
    _require_agreement(options)
    return options


def _require_agreement(options):
    """Refuse what a solver does not do."""
    solver, squared = options.solver, options.loss == "squared"
    if solver == "gibbs" and not squared:
        raise ValueError(f"loss={options.loss!r} is for the solvers 'als' and 'gauss_newton'")
    if solver != "als" and options.nonnegative:
        raise ValueError(f"nonnegative=True is for solver='als', not {solver!r}")
    if options.executor and options.device == "cuda":
        raise ValueError("executor is for device='cpu'")
    for name, given in (
        ("executor", options.executor),
        ("device='cuda'", options.device == "cuda"),
    ):
        if given and not (solver == "als" and squared):
            raise ValueError(f"{name} is for solver='als' and loss='squared'")


def _checked_at_least_zero(name, value):
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not 0 <= value < math.inf:
        raise ValueError(f"{name}={value!r}: a finite number of at least zero is needed")
    return float(value)


def check_flag(name, value):
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}={value!r}: True or False is needed")


def check_share(name, value):
    """Refuse what is not a part of a whole."""
    if not isinstance(value, numbers.Real) or not 0 < value < 1:
        raise ValueError(f"{name}={value!r} must be between 0 and 1")


def checked_rank(rank, shape):
    if isinstance(rank, str):
        check_choice("rank", rank, ("auto",))
        return rank
    if check_integer("rank", rank, 1) > min(shape):
        warnings.warn(
            f"rank={rank} is more than the matrix has: {min(shape)} is used", stacklevel=4
        )
    return min(int(rank), min(shape))


def warn_of_undetermined(data, rank):
    """Tell if exact entries cannot determine a matrix of a rank, whatever they are.

    They are fewer than its unknowns, or a line has fewer than its vector has, or rows and columns
    fall apart in parts that have no entry in common. Rows or columns without entries do not count.
    """
    if data.weights is not None:
        data = data.part(data.weights > 0)
    rows, columns = (np.unique(a, return_inverse=True)[1] for a in (data.rows, data.columns))
    m, n = rows.max() + 1, columns.max() + 1
    few = min(np.bincount(rows).min(), np.bincount(columns).min())
    graph = sparse.coo_array((np.ones(len(data), bool), (rows, columns + m)), (m + n, m + n))
    parts = sparse.csgraph.connected_components(graph, directed=False)[0]
    rank = min(rank, m, n)
    if len(data) >= rank * (m + n - rank) and few >= rank and parts == 1:
        return
    warnings.warn(
        f"{len(data)} entries of {m} rows and {n} columns in {parts} separate part(s), {few} or "
        f"more in each, do not determine a matrix of rank {rank}: one of many is found; take a "
        "smaller rank, or alpha above zero",
        stacklevel=3,
    )


def checked_data(rows, columns, values, shape, sample_weight):
    """Entries as arrays of one dimension, finite, within a shape."""
    values = to_host(as_floats("values", values))
    if values.ndim != 1 or not len(values):
        raise ValueError(f"values has shape {values.shape}: a non-empty array of one dimension")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite: leave out entries that are not observed")
    check_size("values", values, np.finfo(values.dtype).max ** 0.95)
    weights = None if sample_weight is None else check_weights(sample_weight, len(values))
    if weights is not None:
        check_size("sample_weight", weights, _HEAVY)
    shape = None if shape is None else _checked_shape(shape)
    rows, columns = checked_pairs(rows, columns, shape)
    if not len(rows) == len(columns) == len(values):
        raise ValueError(
            f"rows, columns and values have lengths {len(rows)}, {len(columns)} and "
            f"{len(values)}: as many of each are needed"
        )
    if shape is None:
        shape = int(rows.max()) + 1, int(columns.max()) + 1
    return Data(rows, columns, values, weights, shape)


def check_size(name, array, most):
    """Refuse numbers so large, or all so small, that squares of their ratios leave the range."""
    largest = float(max(array.max(), -array.min()))
    if largest and not 1 / most <= largest <= most:
        raise ValueError(
            f"{name} has numbers up to {largest:.3g}: between {1 / most:.0e} and {most:.0e} is "
            "needed; scale them"
        )


def _checked_shape(shape):
    try:
        m, n = shape
    except (TypeError, ValueError) as error:
        raise ValueError(f"shape={shape!r}: two integers are needed") from error
    return check_integer("shape", m, 1), check_integer("shape", n, 1)


def checked_pairs(rows, columns, shape):
    """Return indices of rows and columns, as many of each, within a shape if there is one."""
    m, n = (None, None) if shape is None else shape
    rows, columns = _checked_indices("rows", rows, m), _checked_indices("columns", columns, n)
    if len(rows) != len(columns):
        raise ValueError(f"{len(rows)} rows and {len(columns)} columns: as many are needed")
    return rows, columns


def _checked_indices(name, indices, n):
    try:
        indices = to_host(indices)
    except ValueError as error:  # of unequal lengths
        raise ValueError(f"{name} is not an array: {error}") from error
    if indices.ndim != 1 or (indices.dtype.kind not in "iu" and indices.size):
        raise ValueError(f"{name} must be an array of integers of one dimension")
    least, most = (int(indices.min()), int(indices.max())) if indices.size else (0, -1)
    if least < 0 or (n is not None and most >= n):
        allowed = "negative ones are not allowed" if n is None else f"0 to {n - 1} are allowed"
        raise ValueError(f"{name} has indices from {least} to {most}; {allowed}")
    return indices
