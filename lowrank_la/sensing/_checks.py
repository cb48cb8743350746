"""Checks of measurements, values and options."""

import numbers
import warnings

import numpy as np

from .._support.random import as_generator
from .._support.validation import (
    as_floats,
    check_choice,
    check_integer,
    check_positive,
    check_weights,
)
from ._losses import weighted_quantile
from ._operators import as_measurements, check_adjoint
from ._solve import Task

_LARGEST = 1e15  # of an option without unit


def checked_task(
    A, y, rank, shape, *, symmetric, fit_intercept, sample_weight, tol, max_iter, callback, rng,
    loss, losses=("squared", "huber", "absolute"), alpha=0.0, early_stopping=False,
    validation_fraction=0.1, init_scale=1e-6, imbalance=1.0,
):  # fmt: skip
    """Return the task, and a generator; raise a ValueError that names what is wrong."""
    y = checked_values(y)
    A = as_measurements(A, shape, len(y))
    if A.shape[0] != len(y):
        raise ValueError(f"y has {len(y)} values, but A makes {A.shape[0]} measurements")
    if symmetric and A.matrix_shape[0] != A.matrix_shape[1]:
        raise ValueError(f"symmetric=True, but A measures matrices of shape {A.matrix_shape}")
    check_choice("loss", loss, losses)
    check_flags(symmetric=symmetric, fit_intercept=fit_intercept, early_stopping=early_stopping)
    if symmetric and imbalance != 1:
        raise ValueError(f"imbalance={imbalance!r}: symmetric factors are the same, it must be 1")
    if not isinstance(alpha, numbers.Real) or not 0 <= alpha < np.inf:
        raise ValueError(f"alpha={alpha!r}: a number that is not negative is needed")
    if callback is not None and not callable(callback):
        raise ValueError(f"callback={callback!r} cannot be called")
    share = check_positive("validation_fraction", validation_fraction)
    if share >= 1:
        raise ValueError(f"validation_fraction={share!r}: a number below 1 is needed")
    weights = check_weights(sample_weight, len(y))
    if loss in ("huber", "absolute", "sign"):
        check_median(y, weights, loss, fit_intercept)
    task = Task(
        A=A, y=y, weights=weights / weights.max(), rank=checked_rank(rank, A),
        symmetric=bool(symmetric), loss=loss, alpha=float(alpha),
        constant=bool(fit_intercept),
        passing_constant=bool(symmetric) and A.fits_constant and not fit_intercept,
        init_scale=check_finite("init_scale", init_scale),
        imbalance=check_finite("imbalance", imbalance),
        validation_fraction=share if early_stopping else 0.0,
        tol=max(check_finite("tol", tol), 10 * float(np.finfo(A.dtype).eps)),
        max_iter=check_integer("max_iter", max_iter, 1), callback=callback,
    )  # fmt: skip
    rng = as_generator(rng, "rng")
    check_size("A", check_adjoint(A, rng), A.dtype)
    check_size("y", y, A.dtype)
    warn_of_undetermined(task)
    return task, rng


def checked_values(y):
    """Measured values as float64, or a ValueError."""
    y = as_floats("y", y)
    if y.ndim != 1 or not len(y):
        raise ValueError(f"y has shape {y.shape}: (m,) with at least one measurement is needed")
    if not np.isfinite(y).all():
        raise ValueError("y has values that are NaN or infinite; only finite ones are allowed")
    return y.astype(np.float64)


def check_flags(**flags):
    """Refuse what is neither True nor False."""
    for name, flag in flags.items():
        if not isinstance(flag, bool | np.bool_):
            raise ValueError(f"{name}={flag!r}: True or False is needed")


def check_finite(name, value):
    """Return a positive number that does not lead beyond all numbers, or raise a ValueError."""
    if not 1 / _LARGEST <= check_positive(name, value) <= _LARGEST:
        raise ValueError(
            f"{name}={value!r}: a number between {1 / _LARGEST:.0e} and {_LARGEST:.0e} is needed"
        )
    return float(value)


def check_median(y, weights, loss, fit_intercept):
    """Refuse values whose median says nothing about their size."""
    center = weighted_quantile(y, weights) if fit_intercept else 0.0
    sizes = np.abs(y - center)
    if not weighted_quantile(sizes, weights) and (sizes * weights).any():
        raise ValueError(
            f"y has the value {center:g} in at least half of its places: the median of the "
            f"residuals, from which loss={loss!r} tells their scale, is zero; use loss='squared'"
        )


def check_size(name, values, dtype):
    """Refuse numbers whose products would overflow or vanish."""
    size, largest = np.abs(values).max(initial=0.0), np.finfo(dtype).max ** (1 / 3)
    if size and not 1 / largest <= size <= largest:
        raise ValueError(
            f"{name} has values of up to {size:.0e}, whose products may overflow or vanish: scale "
            f"it so that they are between {1 / largest:.0e} and {largest:.0e}"
        )


def checked_rank(rank, A):
    """Columns of the factors; more than the matrix can have are clipped, with a warning."""
    rank, most = check_integer("rank", rank, 1), min(A.matrix_shape)
    if rank > most:
        warnings.warn(f"rank={rank} is clipped to {most}, the most of such a matrix", stacklevel=4)
    return min(rank, most)


def degrees_of_freedom(shape, rank, symmetric):
    """Numbers that determine a matrix of a rank."""
    n1, n2 = shape
    if symmetric:
        return n1 * rank - rank * (rank - 1) // 2
    return rank * (n1 + n2 - rank)


def warn_of_undetermined(task):
    """Tell that many matrices of the rank fit as well."""
    free = degrees_of_freedom(task.A.matrix_shape, task.rank, task.symmetric)
    counted = int(np.count_nonzero(task.weights))
    if counted < free and not task.alpha and not task.validation_fraction:
        warnings.warn(
            f"{counted} measurements cannot determine a matrix of rank {task.rank}, which has "
            f"{free} degrees of freedom: take a smaller rank, alpha above zero, or "
            "early_stopping=True",
            stacklevel=4,
        )
