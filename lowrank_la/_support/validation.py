"""Checks at the border, beyond what scikit-learn offers.

scikit-learn is imported where it is used: the plain functions do not load it.
"""

import warnings

import numpy as np

from .cuda import is_device_array


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
    array = np.asarray(array)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} has dtype {array.dtype}: real numbers are needed")
    if array.dtype in (np.float32, np.float64):  # in any byte order
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    return array.astype(np.float64)


def check_weights(sample_weight, n, kernels):
    """Return weights as a float64 array of length n on the device, or raise a ValueError."""
    if sample_weight is None:
        return kernels.xp.ones(n)
    weights = np.asarray(sample_weight)
    if weights.dtype.kind not in "fiub":
        raise ValueError(f"sample_weight has dtype {weights.dtype}: real numbers are needed")
    if weights.shape != (n,):
        raise ValueError(f"sample_weight has shape {weights.shape}: ({n},) is needed")
    weights = weights.astype(np.float64)
    if not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise ValueError("sample_weight must be finite and not negative, and not all zero")
    return kernels.to_device(weights)


def warn_not_converged(solver, max_iter):
    """Tell that the iterations ran out."""
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(
        f"{solver} did not converge in max_iter={max_iter} iterations: "
        "the result can still be improved; increase max_iter",
        ConvergenceWarning,
        stacklevel=3,
    )
