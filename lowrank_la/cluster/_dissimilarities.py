"""A matrix of dissimilarities: checked, on its device, and read where costs stand."""

import numpy as np
from scipy.spatial.distance import squareform

from .._support.blocks import thread_count
from .._support.cuda import is_device_array, resolve_device, to_host, twin
from .._support.validation import as_floats, check_threads, require_finite, require_memory

_SYMMETRY_TOLERANCE = {"f": 1e-5, "d": 1e-10}  # relative
_PARALLEL_FROM = 4000  # objects; with fewer, a thread costs more than it gives


class Dissimilarities:
    """A checked matrix of dissimilarities, on the device where it will be read.

    Attributes
    ----------
    rows : array of shape (n, n)
        ``rows[j, o]`` is the cost of serving object o by medoid j. C-contiguous:
        the transpose of what was given, or that itself where it is symmetric.
    diss : array of shape (n, n)
        A view of `rows` that is indexed as what was given.
    device : str
        "cpu" or "cuda".
    kernels : module
        `_cpu` or `_cuda`.
    matrix : module
        `_matrix_cpu` or `_matrix_cuda`.
    n_threads : int
    name : str
        What the caller calls the matrix.
    stays : bool
        Whether it was passed on a GPU, where results then stay, too.
    """

    def __init__(self, diss, device=None, n_cpu=-1, name="diss", symmetric=False):
        check_threads("n_cpu", n_cpu)
        self.device = resolve_device(device, diss)
        self.kernels = twin(__package__, self.device)
        self.matrix = twin(__package__, self.device, "_matrix")
        self.name, self.stays = name, is_device_array(diss)
        given = check_dissimilarities(diss)
        self.n_threads = threads_for(len(given), n_cpu)
        if given.flags.c_contiguous:
            self.rows = self.diss = self.kernels.to_device(given)
            tolerance = _SYMMETRY_TOLERANCE[given.dtype.char]
            if symmetric or self.matrix.is_symmetric(self.diss, tolerance):
                return
        self.transpose(given)

    def __len__(self):
        return len(self.rows)

    def transpose(self, given):
        """Give up on symmetry: a copy, except in Fortran order."""
        self.rows = self.kernels.to_device(given.T)
        self.diss = self.rows.T

    def confirm(self, near, true, weights):
        """Whether costs were read right; if not, because of asymmetry, read columns from now on."""
        error, scale = (weights * abs(near - true)).sum(), (weights * abs(true)).sum()
        if self.rows is not self.diss or not error > 1e-6 * scale:
            return True
        self.transpose(self.diss)
        return False

    def require_finite(self, total):
        """Refuse the matrix if a sum over some of its entries is not finite."""
        require_finite(self.name, total)

    def served(self, medoids, labels):
        """Cost from each object to the medoid of its label, in float64."""
        objects = self.kernels.xp.arange(len(self))
        return self.diss[objects, medoids[labels]].astype(np.float64)


def threads_for(n, n_cpu=-1):
    """Threads for so many objects, unless a number was asked for."""
    return 1 if n < _PARALLEL_FROM and n_cpu < 1 else thread_count(n_cpu)


def check_dissimilarities(diss):
    """Return `diss` as a square float32 or float64 matrix, or raise a ValueError."""
    diss = as_floats("diss", diss)
    if diss.ndim == 1:
        return _expanded(diss)
    if diss.ndim != 2 or diss.shape[0] != diss.shape[1]:
        raise ValueError(f"diss has shape {diss.shape}: a square (n, n) matrix is needed")
    if not len(diss):
        raise ValueError("diss is empty: at least one object is needed")
    return diss


def _expanded(vector):
    """Return the matrix of a condensed vector, as SciPy's ``pdist`` makes it."""
    n = round((1 + np.sqrt(1 + 8 * len(vector))) / 2)
    if not len(vector) or n * (n - 1) // 2 != len(vector):
        raise ValueError(
            f"diss has one dimension and length {len(vector)}: an (n, n) matrix, "
            "or a condensed vector of length n (n - 1) / 2, is needed"
        )
    size, advice = n * n * vector.itemsize, "Pass a matrix of your own, or mapped from disk"
    require_memory(f"The matrix of a condensed vector ({n} objects)", size, advice)
    return squareform(to_host(vector), checks=False)
