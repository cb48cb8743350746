"""Checks at the border, beyond what scikit-learn offers.

scikit-learn is imported where it is used: the plain functions do not load it.
"""

import functools
import numbers
import os
import warnings

import numpy as np
from scipy import sparse

from .cuda import is_device_array, to_host, xp


def as_floats(name, array):
    """Return an array of float32 or float64 in native byte order, copied only if it must be.

    Raises
    ------
    ValueError
        If `array` is sparse, complex, or not numeric.
    """
    if is_device_array(array):
        return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    if hasattr(array, "tocsr"):
        raise ValueError(f"{name} is a sparse matrix: a dense array is needed")
    try:
        array = np.asarray(array)
    except ValueError as error:  # rows of unequal lengths
        raise ValueError(f"{name} is not an array: {error}") from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} has dtype {array.dtype}: real numbers are needed")
    if array.dtype.newbyteorder("=") in (np.float32, np.float64):
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    return array.astype(np.float64)


def checked_sparse(name, A):
    """Return the same sparse matrix over the same arrays, its indices checked, where it has some.

    SciPy notes on a matrix what it finds out about it, and believes what indices say.
    """
    compressed = {"csr": sparse.csr_array, "csc": sparse.csc_array, "bsr": sparse.bsr_array}
    try:
        if A.format == "coo":
            return sparse.coo_array((A.data, A.coords), shape=A.shape)
        if A.format in compressed:
            A = compressed[A.format]((A.data, A.indices, A.indptr), shape=A.shape)
            A.check_format(full_check=True)
    except ValueError as error:
        raise ValueError(f"{name} is not a valid {A.format} matrix: {error}") from error
    return A


def canonical(name, A):
    """Return a CSR matrix of floats whose rows are in order; copied only if they are not."""
    A = checked_sparse(name, A)
    if A.dtype not in (np.float32, np.float64):
        A = A.astype(np.float64)
    if not A.has_canonical_format:
        A = A.copy()
        A.sum_duplicates()
    return A


def check_integer(name, value, least):
    """Return an integer that is not less than `least`, or raise a ValueError."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}={value!r}: an integer of at least {least} is needed")
    return int(value)


def check_choice(name, value, allowed):
    """Refuse what is not one of some choices: strings, or None."""
    if not isinstance(value, str | None) or value not in allowed:
        raise ValueError(f"{name}={value!r} is unknown; use one of {', '.join(map(repr, allowed))}")


def check_threads(name, value):
    """Refuse a number of threads that is not an integer, or zero; negative ones mean all."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value == 0:
        raise ValueError(f"{name}={value!r}: a positive integer, or -1 for all, is needed")


def check_weights(sample_weight, n):
    """Return weights as a float64 array of length n, or raise a ValueError."""
    if sample_weight is None:
        return np.ones(n)
    weights = to_host(sample_weight)
    if weights.dtype.kind not in "fiub":
        raise ValueError(f"sample_weight has dtype {weights.dtype}: real numbers are needed")
    if weights.shape != (n,):
        raise ValueError(f"sample_weight has shape {weights.shape}: ({n},) is needed")
    weights = weights.astype(np.float64)
    if not weights.min() >= 0 or not 0 < weights.max() <= np.finfo(np.float64).max / n:
        raise ValueError(
            "sample_weight must not be negative or NaN, and its sum neither zero nor infinite"
        )
    return weights


def require_finite(name, total):
    """Refuse dissimilarities if a sum over some of them is not finite."""
    if not np.isfinite(total):
        raise ValueError(
            f"{name} has dissimilarities that are NaN or infinite, or too large to be "
            "added up; only finite ones are allowed"
        )


def check_positive(name, value):
    """Return a number above zero as a float, or raise a ValueError."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not value > 0:
        raise ValueError(f"{name}={value!r}: a positive number is needed")
    return float(value)


def warn_not_converged(solver, max_iter, max_time=None, stacklevel=3):
    """Tell that the iterations, or the time, ran out."""
    within = f"max_iter={max_iter} iterations"
    if max_time is not None:
        within += f" and max_time={max_time} s"
    warn_convergence(
        f"{solver} did not converge in {within}: the result can still be improved; "
        f"increase {'max_iter' if max_time is None else 'max_iter or max_time'}",
        stacklevel,
    )


def warn_convergence(message, stacklevel):
    """Give scikit-learn's ConvergenceWarning."""
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(message, ConvergenceWarning, stacklevel=stacklevel + 1)


def all_or_nothing(fit):
    """Decorate ``fit`` so that a failure leaves the estimator as it was."""

    @functools.wraps(fit)
    def guarded(self, *args, **kwargs):
        before = dict(vars(self))
        try:
            return fit(self, *args, **kwargs)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return guarded


def validate_rows(estimator, X, *, reset, **options):
    """`validate_data` of scikit-learn, and the like of it for arrays on a GPU."""
    from sklearn.utils.validation import validate_data

    if not is_device_array(X):
        return validate_data(estimator, X, reset=reset, dtype=[np.float64, np.float32], **options)
    if X.ndim != 2 or not X.size:
        raise ValueError(f"X has shape {X.shape}: a non-empty array of two dimensions is needed")
    if X.dtype.kind not in "fiub" or not bool(xp.isfinite(X).all()):
        raise ValueError("X must hold real, finite numbers")
    if reset:
        estimator.n_features_in_ = X.shape[1]
    elif X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} "
            f"is expecting {estimator.n_features_in_} features as input"
        )
    return as_floats("X", X)


def fits_in_memory(n_bytes):
    """Whether an array takes at most half of the machine's memory."""
    return n_bytes <= _physical_memory() // 2


def require_memory(what, n_bytes, advice):
    """Refuse an array that would take more than half of the machine's memory."""
    if not fits_in_memory(n_bytes):
        raise MemoryError(
            f"{what} would take {n_bytes / 2**30:.1f} GiB, more than half of this machine's "
            f"memory ({_physical_memory() / 2**31:.1f} GiB). {advice}"
        )


def _physical_memory():
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not a POSIX system
        return 16 * 2**30
