"""The one way to compile a CPU kernel.

Numba's own ``cache=True`` notices a change in the file of the function that it
caches, not in a function of another file that was compiled into it, and it
refuses to import at all where no directory can be written. :func:`kernel` adds
a hash of every kernel source to the cache's stamp, and goes without a cache
where there is no place for one.
"""

import functools
import hashlib
import types
from pathlib import Path

from numba import njit

# No NaN or infinity is assumed away, so that kernels may meet them.
FASTMATH = {"reassoc", "contract", "arcp", "nsz"}
_PACKAGE = Path(__file__).parents[1]


@functools.cache
def _salt():
    """Hash of all sources that a kernel may have been compiled from."""
    sources = [*_PACKAGE.glob("_kernels/*.py"), *_PACKAGE.glob("*/*_cpu.py"), Path(__file__)]
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _enable_salted_cache(dispatcher):
    """Cache on disk, keyed by all kernel sources; without a cache where that fails."""
    try:
        dispatcher.enable_caching()
        file = dispatcher._cache._cache_file
        file._source_stamp = (file._source_stamp, _salt())
    except (RuntimeError, OSError, AttributeError):
        # No directory can be written, the sources are in an archive, Numba keeps its stamp
        # elsewhere, or nothing is compiled.
        if hasattr(dispatcher, "_cache"):
            dispatcher._cache.disable()


def kernel(function=None, *, strict=False, **options):
    """Compile a function of loops over arrays.

    Parameters
    ----------
    function : callable
        Loops over arrays and scalars; it never sees a Python object.
    strict : bool, default=False
        Keep the order of floating-point operations: for kernels that test for
        NaN or infinity, or compensate their sums.
    **options
        Further options of :func:`numba.njit`.

    Returns
    -------
    dispatcher : callable
        The compiled function. It releases the GIL, divides as NumPy does, and
        is cached on disk.
    """
    if function is None:
        return functools.partial(kernel, strict=strict, **options)
    fastmath = False if strict else FASTMATH
    options = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, **options}
    dispatcher = njit(fastmath=fastmath, **options)(function)
    _enable_salted_cache(dispatcher)
    return dispatcher


def specialise(template, name, **names):
    """Compile a kernel template with some of its global names bound to functions.

    Parameters
    ----------
    template : callable
        A plain function that calls names its module does not define.
    name : str
        Tells the specialisations of a template apart, in the cache too: a
        closure could not be cached.
    **names
        Plain functions, or compiled ones; they become part of the kernel.

    Returns
    -------
    dispatcher : callable
    """
    bound = {k: kernel(f) if isinstance(f, types.FunctionType) else f for k, f in names.items()}
    function = types.FunctionType(template.__code__, {**template.__globals__, **bound}, name)
    function.__qualname__ = f"{template.__qualname__}.{name}"
    return kernel(function)
