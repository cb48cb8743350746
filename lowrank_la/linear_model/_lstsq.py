"""Least squares: the function, its result, and what is checked before."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import sparse

from .._support.cuda import is_device_array, resolve_device, to_device, to_host, xp
from .._support.result import Result
from .._support.validation import (
    as_floats,
    canonical,
    check_choice,
    check_integer,
    check_positive,
    check_threads,
    check_weights,
    checked_sparse,
    require_memory,
    warn_convergence,
)
from ._design import Design, column_sizes
from ._methods import METHODS, SKETCHES, Options, seed_of

_SMALL = 1e-50  # columns of a smaller fraction of the largest one's size have units of their own


@dataclass(frozen=True, eq=False)
class LstsqResult(Result):
    """Solution of a least-squares problem, and what is known of it.

    Attributes
    ----------
    x : array of shape (d,) or (d, k)
        Coefficients, in the precision of the data; on the GPU if A is there.
    residual_norms : float, or ndarray of shape (k,)
        Norm of ``b - A @ x``, with the weights; for the method "sketch" that of
        the sketched residual, which is as large but for the sketch's distortion.
    rank : int
        Of A, with columns scaled to norm one.
    condition_number : float
        Estimate of the largest singular value of A, as it is, over the smallest
        one that is not zero.
    backward_error : float or None
        Estimate of the least relative change of A, its columns scaled to norm
        one, and b for which x is an exact solution (Karlson and Walden 1997):
        1e-16 is what rounding allows. None for the method "sketch", which does
        not look at A again.
    n_passes : int
        How often the rows of A were read.
    method : str
        That found x.
    n_iter : int
        Corrections of x.
    converged : bool
        Whether the backward error is a backward stable method's; True for the
        method "sketch", where nothing is measured.
    history : ndarray
        Backward errors before each correction; that of x is at most the least.
    """

    x: np.ndarray
    residual_norms: np.ndarray
    rank: int
    condition_number: float
    backward_error: float | None
    n_passes: int
    method: str


def lstsq(
    A,
    b,
    *,
    method="auto",
    rcond=None,
    sample_weight=None,
    sketch=None,
    sketch_size=None,
    eps=0.5,
    delta=0.01,
    n_jobs=None,
    device=None,
    rng=None,
):
    """Minimise the norm of ``b - A x``, for a matrix of many more rows than columns.

    It solves what :func:`numpy.linalg.lstsq` does and is as accurate as Householder QR, in the time
    of the normal equations: their solution is corrected by one or two more passes over the rows,
    or, where A is too ill conditioned for them, set up in a basis that a sketch of A gives. A is
    neither copied nor changed.

    Parameters
    ----------
    A : array_like or sparse matrix of shape (n, d)
        float32 and float64 in any order are read as they are, memory maps too;
        other types are converted to float64, other sparse formats to CSR. All
        sums are made in float64.
    b : array_like of shape (n,) or (n, k)
    method : str, default="auto"
        "auto" finds out what A needs. "csne": normal equations of the scaled
        columns with corrections, for condition numbers (of the scaled columns)
        up to 1e7. "presketch": normal equations in the basis of a sketch, for
        all. "spir" and "fossils": iterations in that basis, for hundreds of
        columns or more. "qr": LAPACK's Householder QR, which copies A.
        "sketch": least squares of the sketched rows, an approximation by one
        pass; exact while A has no more rows than the sketch.
    rcond : float, default=None
        Singular values of A, its columns scaled to norm one, below this
        fraction of the largest are taken as zero. The default of 7e-15 only
        drops what cannot be told from rounding.
    sample_weight : array_like of shape (n,), default=None
        Weights of the squared residuals; a row of weight zero does not count.
    sketch : {"srht", "gaussian", "sparse_sign", "countsketch"}, default=None
        "srht" unless given; "sparse_sign" for a sparse A, but for the method
        "sketch".
    sketch_size : int, default=None
        Rows of the sketch, at least d. By default `eps` and `delta` set it for
        the method "sketch", and it is a multiple of d for the others.
    eps : float, default=0.5
        For the method "sketch" with a dense sketch: how far the entries of x may
        be off, in units of ``norm(b - A x) / (sqrt(d) * sigma_min(A))``.
    delta : float, default=0.01
        Probability with which one is farther off.
    n_jobs : int, default=None
        Threads; None takes what Numba and joblib allow. The result does not
        depend on it.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where A lies. A sparse A is for the CPU only.
    rng : None, int, SeedSequence, BitGenerator, Generator or RandomState, default=None
        Of the sketch.

    Returns
    -------
    result : LstsqResult
        Unlike NumPy's it does not unpack: its attributes are x,
        residual_norms, rank, condition_number, backward_error, n_passes,
        method. Where A has dependent columns x is the solution of least norm.

    Raises
    ------
    ValueError
        If A or b has an entry that is NaN or infinite, their lengths differ, a
        weight is negative, a sparse A is to go to a GPU, or an argument is out of
        its range.

    Warns
    -----
    ConvergenceWarning
        If the backward error is not that of a backward stable method, which
        can happen with the methods other than "auto".

    Notes
    -----
    The time is that of ``n d**2`` multiplications for "csne", twice that for
    "presketch", and of some 30 passes over A for "spir" and "fossils", with
    factorisations of matrices of d columns; the memory, beside A, that of some
    16 matrices of d rows and columns for "csne" and "presketch", of three sketches
    for the others, and of a copy of A for "qr".

    References
    ----------
    .. [1] Å. Björck, "Stability analysis of the method of seminormal equations
       for linear least squares problems", Linear Algebra Appl. 88/89, 1987.
    .. [2] E. N. Epperly, M. Meier, Y. Nakatsukasa, "Fast randomized least-squares
       solvers can be just as accurate and stable as classical direct solvers",
       2024, arXiv:2406.03468.
    .. [3] Z. Song, M. Ye, J. Yin, L. Zhang, "A nearly-optimal bound for fast
       regression with l-infinity guarantee", ICML 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.linear_model import lstsq
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((10_000, 3))
    >>> result = lstsq(A, A @ [1.0, 2.0, 3.0])
    >>> result.x.round(12)
    array([1., 2., 3.])
    >>> result.rank, result.method
    (3, 'csne')
    """
    here, device = is_device_array(A), resolve_device(device, A)
    A, Y, weights = _checked_data(A, b, sample_weight, device)
    sizes = sketch_size, eps, delta
    options = checked_options(
        method, rcond, sketch, *sizes, n_jobs, A.shape[1], seed_of("rng", rng)
    )
    new_design = partial(Design, n_threads=n_jobs, device=device)
    design, solution = solve("A", method, options, A, Y, weights, new_design=new_design)
    warn_of(solution, method, 3)
    vector = np.ndim(b) == 1
    dtype = np.result_type(A.dtype, np.float32)
    coef = in_precision("A", solution.coef, dtype)
    coef = to_device(coef) if here else coef
    return LstsqResult(
        x=coef[:, 0] if vector else coef,
        residual_norms=float(solution.norms[0]) if vector else solution.norms,
        n_passes=design.n_passes,
        **facts(solution, A.shape[1]),
    )


def in_precision(name, coef, dtype):
    """Return coefficients in a precision that can hold them."""
    if np.abs(coef).max(initial=0.0) > np.finfo(dtype).max:
        raise ValueError(
            f"{name} is too small beside the targets: the coefficients overflow {np.dtype(dtype)}"
        )
    return coef.astype(dtype)


def facts(solution, n_features):
    """Tell about a solution, by the names in results."""
    values = solution.factor.singular_values(n_features)
    return {
        "rank": solution.factor.rank_of(n_features),
        "condition_number": float(values[0] / values[-1]) if len(values) else 1.0,
        "backward_error": float(min(solution.errors)) if solution.errors else None,
        "method": solution.method,
        "n_iter": max(0, len(solution.errors) - 1),
        "converged": solution.converged,
        "history": np.array(solution.errors),
    }


def _checked_data(A, b, sample_weight, device):
    A = checked_design("A", A, device)
    Y = to_host(as_floats("b", b))
    if Y.ndim not in (1, 2) or len(Y) != A.shape[0] or not Y.size:
        raise ValueError(
            f"b has shape {Y.shape} and A {A.shape}: ({A.shape[0]},) or ({A.shape[0]}, k) is needed"
        )
    require_finite("b", Y)
    weights = None if sample_weight is None else check_weights(sample_weight, A.shape[0])
    return A, np.asarray(Y.reshape(len(Y), -1), dtype=np.float64), weights


def checked_design(name, A, device):
    """Return a matrix as designs take it: an array, or canonical CSR, of floats."""
    refuse_sparse(name, A, device)
    if hasattr(A, "tocsr"):
        if A.dtype.kind not in "fiub":
            raise ValueError(f"{name} has dtype {A.dtype}: real numbers are needed")
        A = canonical(name, checked_sparse(name, A).tocsr())
    else:
        A = placed(as_floats(name, A), device)
    if A.ndim != 2 or 0 in A.shape:
        raise ValueError(
            f"{name} has shape {A.shape}: a non-empty matrix of two dimensions is needed"
        )
    return A


def refuse_sparse(name, A, device):
    """Refuse a sparse matrix that is on a GPU, or is to go there."""
    on_gpu = device == "cuda" or is_device_array(getattr(A, "data", None))
    if hasattr(A, "tocsr") and on_gpu:
        raise ValueError(f"{name} is a sparse matrix: a GPU takes dense arrays only")


def placed(A, device):
    """Return a dense array on a device, as it lies in memory; what is there already stays."""
    if device == "cuda":
        return xp.asarray(A)
    return to_host(A) if is_device_array(A) else A


def require_finite(name, array):
    """Refuse NaN and infinity."""
    if not np.isfinite(array.data if hasattr(array, "indptr") else array).all():
        raise ValueError(
            f"{name} has entries that are NaN or infinite; only finite ones are allowed"
        )


def checked_options(method, rcond, sketch, sketch_size, eps, delta, n_jobs, d, seed):
    """Options of a method, or a ValueError that names the wrong one."""
    check_choice("method", method, METHODS)
    check_choice("sketch", sketch, (None, *SKETCHES))
    if sketch_size is not None:
        check_integer("sketch_size", sketch_size, d)
    for name, value in (("eps", eps), ("delta", delta)):
        if not check_positive(name, value) < 1:
            raise ValueError(f"{name}={value!r}: a number below 1 is needed")
    if rcond is not None and rcond != 0 and not check_positive("rcond", rcond) < 1:
        raise ValueError(f"rcond={rcond!r}: a number below 1 is needed")
    if n_jobs is not None:
        check_threads("n_jobs", n_jobs)
    negligible = {} if rcond is None else {"negligible": float(rcond)}
    return Options(sketch, sketch_size, eps, delta, seed=seed, **negligible)


def solve(name, method, options, X, Y, weights=None, alpha=0.0, new_design=Design):
    """Solve a checked problem.

    Parameters
    ----------
    name : str
        What the user calls X, for errors.
    new_design : callable
        Makes a design of X, Y, weights and alpha.

    Returns
    -------
    design : Design
    solution : Solution
        Its last coefficient is the constant, of the features themselves.
    """
    require_memory(
        f"A Gram matrix of the {X.shape[1]} columns of {name}",
        4 * 8 * (X.shape[1] + Y.shape[1]) ** 2,
        "For so many sparse columns use scipy.sparse.linalg.lsmr.",
    )
    args = method, options, X, Y, weights, alpha, new_design
    try:
        with np.errstate(all="ignore"):
            design, solution = _run(*args)
    except FloatingPointError:
        require_finite(name, X)
        design, solution = _run_rescaled(name, *args)
    return design, solution


def warn_of(solution, method, stacklevel):
    """Tell if another method was used, or the solution is not a stable method's."""
    if method == "csne" != solution.method:
        warn_convergence(
            f"the data are too ill conditioned for the method 'csne': {solution.method!r} was "
            "used, as method='auto' would",
            stacklevel,
        )
    if not solution.converged:
        stabler = "qr" if method == "auto" else "auto"
        warn_convergence(
            f"the method {solution.method!r} ended with a backward error of "
            f"{min(solution.errors):.1e}, more than rounding accounts for: use method={stabler!r}",
            stacklevel,
        )


def _run(method, options, X, Y, weights, alpha, new_design):
    design = new_design(X, Y, weights, alpha=alpha)
    solution = METHODS[method](design, options)
    if solution is None:
        solution = METHODS["presketch"](design, options)
    if design.shift.any():
        *coef, constant = solution.coef
        shifted = constant - design.shift @ np.array(coef)
        solution = replace(solution, coef=np.vstack([*coef, shifted]))
    return design, solution


def _run_rescaled(name, method, options, X, Y, weights, alpha, new_design):
    """Solve the problem in units in which no square overflows or vanishes."""
    level = 1.0
    if weights is not None:
        counted, level = weights > 0, 1 / power_of_two(weights.max())
        X, Y, weights = X[counted], Y[counted], level * weights[counted]
    root = np.sqrt(alpha * level)
    scale = units(np.maximum(column_sizes(X).astype(np.float64), root))
    unit = 1 / power_of_two(column_sizes(Y))
    X = scaled(X, scale)
    args = weights, (root * scale) ** 2, new_design
    try:
        design, solution = _run(method, options, X, Y * unit, *args)
    except FloatingPointError as error:
        raise ValueError(f"{name} has rows of too different sizes") from error
    full, factor = np.append(scale, np.ones(design.n_design - len(scale))), solution.factor
    if np.ptp(scale[: design.n_design - design.constant]):  # else the condition is the same
        factor = factor.rescaled(full)
    with np.errstate(over="ignore", invalid="ignore"):
        coef = full[:, None] * (solution.coef / unit)
        coef = coef if design.constant else factor.least_norm(coef)
        norms = solution.norms / unit / np.sqrt(level)
    if not np.isfinite(coef).all():
        raise ValueError(f"{name} is too small beside the targets: the coefficients overflow")
    return design, replace(solution, coef=coef, norms=norms, factor=factor)


def scaled(X, scale):
    if hasattr(X, "indptr"):
        return X @ sparse.diags_array(scale)
    return X * (to_device(scale) if is_device_array(X) else scale)


def units(sizes):
    """Factors for columns, powers of two: one for all where their sizes are comparable."""
    largest = sizes.max()
    near = (sizes == 0) | (sizes > largest * _SMALL)
    return 1 / power_of_two(np.where(near, largest, sizes))


def power_of_two(size):
    """Return the power of two next above a size; 1 for zero."""
    return np.where(size > 0, np.ldexp(1.0, np.clip(np.frexp(size)[1], -1000, 1000)), 1.0)
