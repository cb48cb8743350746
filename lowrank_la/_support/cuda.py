"""The only file that names a CUDA package.

Kernels are written in the part of the language that Numba's simulator, its
built-in target, numba-cuda and numba-cuda-mlir share. Memory, linear algebra
and sorting go through `xp`: CuPy on a GPU, NumPy in the simulator.
"""

import functools
import importlib
import importlib.util
import os

import numpy as np

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")
THREADS = 8 if SIMULATED else 128  # to a block
_BLOCKS = 4 if SIMULATED else 1024  # at most; kernels stride over the rest

_HELP = "install lowrank-la[gpu] on a machine with an NVIDIA GPU, or use device='cpu'"


@functools.cache
def _cuda():
    """Return the CUDA target that is installed."""
    if not SIMULATED and importlib.util.find_spec("numba_cuda_mlir"):
        return importlib.import_module("numba_cuda_mlir.cuda")
    if not SIMULATED:
        vars(np).setdefault("row_stack", np.vstack)  # numba-cuda needs it; NumPy 2.5 dropped it
    return importlib.import_module("numba.cuda")


class _ArrayModule:
    """CuPy, or NumPy in the simulator; imported when it is first used."""

    def __getattr__(self, name):
        if name.startswith("__"):  # who only inspects modules needs no CuPy
            raise AttributeError(name)
        return getattr(np if SIMULATED else importlib.import_module("cupy"), name)


xp = _ArrayModule()


def is_device_array(array):
    """Whether the data lie on a GPU."""
    return hasattr(array, "__cuda_array_interface__")


def resolve_device(device, *arrays):
    """Device to compute on: where the data are, unless told.

    Parameters
    ----------
    device : {None, "cpu", "cuda"}
    *arrays : array_like

    Returns
    -------
    device : {"cpu", "cuda"}

    Raises
    ------
    ValueError
        If `device` is none of these.
    RuntimeError
        If a GPU is asked for and there is none, or no package to drive it.
    """
    if device not in (None, "cpu", "cuda"):
        raise ValueError(f"device={device!r} is unknown; use None, 'cpu' or 'cuda'")
    if device is None:
        device = "cuda" if any(map(is_device_array, arrays)) else "cpu"
    if device == "cuda":
        _require_gpu()
    return device


def _require_gpu():
    try:
        usable = _cuda().is_available() and xp.ndarray
    except ImportError as error:
        raise RuntimeError(f"device='cuda' needs a package: {error}; {_HELP}") from error
    if not usable:
        raise RuntimeError(f"device='cuda', but no GPU was found; {_HELP}")


def twin(package, device, room=""):
    """Return kernels of a package for a device: its module ``<room>_cpu`` or ``<room>_cuda``."""
    return importlib.import_module(f".{room}_{device}", package)


def to_device(array):
    """Contiguous copy on the GPU; what lies there already stays."""
    array = xp.ascontiguousarray(xp.asarray(array))
    if SIMULATED and not array.flags.writeable:  # kernels give back whatever they are given
        return array.copy()
    return array


def zeros(shape, dtype=np.float64):
    """Return zeros on the GPU."""
    return xp.zeros(shape, dtype)


def to_host(array):
    """Return a NumPy array with the same contents."""
    return array.get() if is_device_array(array) and hasattr(array, "get") else np.asarray(array)


class Kernel:
    """A CUDA kernel, compiled for the types of its arguments when it is launched.

    Attributes
    ----------
    function : callable
        The source.
    signature : str
        Its argument types, with T for float32 or float64: what the arguments
        are, and what it is compiled for where there is no GPU to launch it on.
    threads : int
        Threads to a block.
    """

    def __init__(self, function, signature, threads=THREADS):
        functools.update_wrapper(self, function)
        self.function, self.signature, self.threads = function, signature, threads

    @functools.cached_property
    def _compiled(self):
        return _cuda().jit(self.function)

    def __call__(self, n_blocks, *args):
        """Run on at most `n_blocks` blocks of threads."""
        self._compiled[max(1, min(n_blocks, _BLOCKS)), self.threads](*args)


def cuda_kernel(signature, threads=THREADS):
    """Decorate a function as a :class:`Kernel`."""
    return functools.partial(Kernel, signature=signature, threads=threads)


def device_function(function):
    """Compile a plain function so that CUDA kernels may call it."""
    return _cuda().jit(device=True)(function)


def __getattr__(name):
    """Load the CUDA language only for those who import it: ``from ... import cuda``."""
    if name == "cuda":
        return _cuda()
    raise AttributeError(name)
