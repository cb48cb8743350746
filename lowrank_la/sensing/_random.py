"""Random measurements that keep norms on average: normal ones, and fast transforms."""

import numpy as np
from scipy import fft
from scipy.linalg import hadamard

from .._support.blas import single_threaded_blas
from .._support.blocks import run_blocks, thread_count
from .._support.cuda import resolve_device
from .._support.random import as_generator
from .._support.validation import check_choice, fits_in_memory, require_memory
from ..sketch import Gaussian
from ._operators import MatrixMeasurements, Measurements

_SHARE = 8  # of what fits in memory: the part that a matrix may take unasked
_LARGE = 1 << 16  # entries: a cosine transform of fewer is slower on several threads
_BITS = 5  # of a row number, transformed at a time
_BLOCK = 8192  # rows of a product with a small Hadamard matrix


class GaussianMeasurements(MatrixMeasurements):
    """Measurements by independent normal numbers, of variance 1 / m.

    Norms are kept on average, and ``O((n1 + n2) r)`` measurements determine any matrix of rank r.

    Parameters
    ----------
    m : int
        Measurements.
    shape : tuple of two int
        Of the measured matrix, (n1, n2).
    kept : bool, default=None
        Whether all numbers are kept, which takes ``8 m n1 n2`` bytes, or made anew for each
        product. They are the same numbers. None keeps what takes at most a sixteenth of the
        memory.
    random_state : None, int, Generator or RandomState, default=None
        Fixes the numbers.
    device : {None, "cpu", "cuda"}, default=None
        Where the numbers are made, kept and multiplied; None is the CPU. Products are arrays of
        NumPy in any case.

    Attributes
    ----------
    shape : tuple of int
        (m, n1 * n2)
    matrix_shape : tuple of int
        (n1, n2)
    kept : bool

    Raises
    ------
    ValueError
        If an argument is not of its kind.
    MemoryError
        If `kept` is True, and the numbers would take more than half of the memory.

    See Also
    --------
    lowrank_la.sketch.Gaussian : The same matrix, as a sketch.

    Notes
    -----
    A product takes ``O(m n1 n2)`` operations: this is for small matrices, of a few hundred rows.
    To make a number takes many times as long as to read it.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sensing import GaussianMeasurements
    >>> A = GaussianMeasurements(500, (20, 30), random_state=0)
    >>> left, right = np.ones((20, 1)), np.ones((30, 1))
    >>> y = A.apply_factors(left, right)
    >>> bool(abs(np.linalg.norm(y) / np.linalg.norm(left @ right.T) - 1) < 0.1)
    True
    >>> B = GaussianMeasurements(500, (20, 30), kept=False, random_state=0)
    >>> bool(np.allclose(B.apply_factors(left, right), y))
    True
    """

    def __init__(self, m, shape, *, kept=None, random_state=None, device=None):
        Measurements.__init__(self, m, shape)
        if not isinstance(kept, bool | None):
            raise ValueError(f"kept={kept!r}: True, False or None is needed")
        n_bytes = 8 * self.shape[0] * self.shape[1]
        if kept:
            require_memory("the numbers", n_bytes, "Use kept=False.")
        self.kept = fits_in_memory(_SHARE * n_bytes) if kept is None else kept
        self._device = resolve_device(device)
        sketch = Gaussian(*self.shape, random_state=random_state)
        self._matrix = sketch.toarray(self._device) if self.kept else sketch

    def _matvec(self, x):  # sketches refuse what is not finite, where solvers take smaller steps
        return super()._matvec(x) if np.isfinite(x).all() else np.full(self.shape[0], np.nan)

    def _rmatvec(self, z):
        return super()._rmatvec(z) if np.isfinite(z).all() else np.full(self.shape[1], np.nan)


class TransformMeasurements(Measurements):
    """Some coefficients of a fast transform of the matrix, after random changes of signs.

    The signs spread any matrix over all coefficients; m of these, drawn without replacement and
    scaled so that norms are kept on average, then do what normal measurements do, in the time of
    a transform.

    Parameters
    ----------
    m : int
        Measurements; not more than there are coefficients.
    shape : tuple of two int
        Of the measured matrix, (n1, n2).
    transform : {"dct", "hadamard"}, default="dct"
        The cosine transform in both directions, with n1 n2 coefficients; or the Walsh-Hadamard
        transform of the entries, row by row, followed by zeros up to a power of two.
    random_state : None, int, Generator or RandomState, default=None
        Fixes signs and coefficients.

    Attributes
    ----------
    shape : tuple of int
        (m, n1 * n2)
    matrix_shape : tuple of int
        (n1, n2)

    Raises
    ------
    ValueError
        If an argument is not of its kind, or m is too large.

    Notes
    -----
    A product takes ``O(n1 n2 log(n1 n2))`` operations, whatever m and the rank, and
    ``O(n1 n2)`` memory. Vectors of float32 give products of float32.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.sensing import TransformMeasurements, scaled_gd
    >>> left, right = np.random.default_rng(0).normal(size=(2, 60, 2))
    >>> A = TransformMeasurements(1500, (60, 60), random_state=0)
    >>> result = scaled_gd(A, A.apply_factors(left, right), 2, rng=0)
    >>> bool(np.allclose(result.matrix, left @ right.T))
    True
    """

    def __init__(self, m, shape, transform="dct", *, random_state=None):
        super().__init__(m, shape)
        check_choice("transform", transform, ("dct", "hadamard"))
        m, size = self.shape
        number = size if transform == "dct" else 1 << (size - 1).bit_length()
        if m > number:
            raise ValueError(f"m={m}: there are {number} coefficients of such a matrix")
        rng = as_generator(random_state)
        self._transform, self._number = transform, number
        # columns of both transforms have norm one; that of Hadamard has entries of one before
        self._scale = ((number if transform == "dct" else 1) / m) ** 0.5
        self._signs = 2 * rng.integers(2, size=size, dtype=np.int8) - 1
        self._chosen = np.sort(rng.choice(number, m, replace=False, shuffle=False))

    def _matvec(self, x):
        x = _as_float(x)
        signed = x * self._signs.astype(x.dtype)
        if self._transform == "dct":
            coefficients = self._dct(fft.dctn, signed).ravel()
        else:
            coefficients = _hadamard(np.pad(signed, (0, self._number - len(x))))
        return self._scale * coefficients[self._chosen]

    def _rmatvec(self, z):
        z = _as_float(z)
        coefficients = np.zeros(self._number, z.dtype)
        coefficients[self._chosen] = self._scale * z
        if self._transform == "dct":
            signed = self._dct(fft.idctn, coefficients).ravel()
        else:
            signed = _hadamard(coefficients)[: self.shape[1]]
        return signed * self._signs.astype(z.dtype)

    def _dct(self, transform, values):
        values = values.reshape(self.matrix_shape)
        workers = thread_count() if values.size >= _LARGE else 1  # they change no bits
        return transform(values, norm="ortho", overwrite_x=True, workers=workers)


def _as_float(x):
    x = np.ravel(x)
    return x if x.dtype == np.float32 else x.astype(np.float64, copy=False)


@single_threaded_blas()
def _hadamard(x):
    """Walsh-Hadamard transform of as many numbers as a power of two.

    Its matrix is a Kronecker product of small ones. Each takes the leading part of the number of
    an entry, transforms along it, and leaves it behind the others.
    """
    bits = len(x).bit_length() - 1
    while bits:
        taken = min(bits, _BITS)
        matrix, parts = hadamard(1 << taken).astype(x.dtype), x.reshape(1 << taken, -1)
        turned = np.empty(parts.shape[::-1], x.dtype)
        run_blocks(_turn, len(turned), _BLOCK, (parts, matrix, turned))
        x, bits = turned.ravel(), bits - taken
    return x


def _turn(lo, hi, b, parts, matrix, out):
    np.matmul(parts[:, lo:hi].T, matrix, out=out[lo:hi])
