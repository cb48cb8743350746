"""Arrays as strict as those on a GPU: they do not mix with NumPy's, and reductions give arrays."""

import numpy as np

from lowrank_la._support import cuda


class Strict(np.ndarray):
    """An array that says that it lies on a GPU, and refuses those that do not."""

    __cuda_array_interface__ = None

    def get(self):
        return plain(self)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return called(getattr(ufunc, method), inputs, options)

    def __array_function__(self, function, types, inputs, options):
        return called(function, inputs, options)


class Module:
    """NumPy for such arrays."""

    def __getattr__(self, name):
        found = getattr(np, name)
        if isinstance(found, type) or not callable(found):
            return found
        if name in ("array", "asarray", "ascontiguousarray"):  # the ways from the host
            return lambda array, **options: found(plain(array), **options).view(Strict)
        return lambda *inputs, **options: called(found, inputs, options)


def strict_gpu(monkeypatch, *modules):
    """Let kernels refuse arrays on the host, and modules make strict ones; return the way there."""
    launch = cuda.Kernel.__call__

    def launched(self, n_blocks, *args):
        assert not any(type(value) is np.ndarray for value in args)
        launch(self, n_blocks, *map(plain, args))

    monkeypatch.setattr(cuda.Kernel, "__call__", launched)
    for module in (cuda, *modules):
        monkeypatch.setattr(module, "xp", Module())
    return lambda array: np.array(array).view(Strict)


def plain(value):
    """Return the memory of an array."""
    return value.view(np.ndarray) if isinstance(value, Strict) else value


def called(function, inputs, options):
    return strict(function(*map(stripped, inputs), **{k: stripped(v) for k, v in options.items()}))


def stripped(value):
    if isinstance(value, list | tuple):
        return type(value)(map(stripped, value))
    if type(value) is np.ndarray and value.ndim:
        raise TypeError("an array on the host meets one on the GPU")
    return plain(value)


def strict(value):
    if isinstance(value, tuple):
        return tuple(map(strict, value))
    return np.asarray(value).view(Strict) if isinstance(value, np.ndarray | np.generic) else value
