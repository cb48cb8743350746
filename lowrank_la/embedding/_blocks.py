"""Graphs and embeddings beyond memory: blocks of rows of memory-mapped arrays, on any executor.

A task gets the names of files, not arrays: what it reads and writes is mapped in
whatever process it runs in.
"""

import os
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .._support.blocks import thread_count
from .._support.cuda import twin
from .._support.executor import map_merge
from ._cpu import Operator, Rows, padded
from ._powers import rescaled

_ENTRIES = 1 << 24  # of the graph, to a block, about
_ROWS = 1024  # at least


def check_folder(folder, executor):
    """Return the path of a new or empty folder, or None for none.

    Raises
    ------
    ValueError
        If there is something in the folder, which might be a former result that is still
        mapped into memory, or if an executor has no folder, or is none.
    """
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ValueError(f"executor={executor!r} is not one of concurrent.futures")
    if folder is None:
        if executor is not None:
            raise ValueError("executor: its workers need a folder for what they share")
        return None
    try:
        path = Path(folder)
    except TypeError as error:
        raise ValueError(f"folder={folder!r}: a path is needed") from error
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise ValueError(
            f"folder={os.fspath(path)!r} is not empty: a new folder, or an empty one, is needed, "
            "so that no other result is overwritten"
        )
    return path


class Mapped(NamedTuple):
    """Where the bytes of an array lie."""

    path: str
    dtype: str
    shape: tuple
    offset: int

    def open(self, mode="r"):
        """Map the array into memory."""
        if 0 in self.shape:  # nothing can be mapped
            return np.empty(self.shape, self.dtype)
        return np.memmap(self.path, self.dtype, mode, self.offset, self.shape)

    @classmethod
    def new(cls, path, dtype, shape):
        """Name a new file of zeros."""
        with open(path, "wb") as file:
            file.truncate(int(np.prod(shape)) * np.dtype(dtype).itemsize)
        return cls(os.fspath(path), np.dtype(dtype).str, tuple(shape), 0)

    @classmethod
    def of(cls, array, path):
        """Name the file that an array is mapped from; write one if there is none."""
        root = array
        while isinstance(root, np.ndarray) and not isinstance(root, np.memmap):
            root = root.base
        while isinstance(root, np.memmap) and isinstance(root.base, np.memmap):
            root = root.base
        on_disk = isinstance(root, np.memmap) and root.filename and root.mode != "c"
        if on_disk and array.flags.c_contiguous:
            offset = root.offset + array.ctypes.data - root.ctypes.data
            return cls(os.fspath(root.filename), array.dtype.str, array.shape, offset)
        stored = cls.new(path, array.dtype, array.shape)
        stored.open("r+")[...] = array
        return stored


def _work(lo_hi, operator, source, target, out, weights, fresh, n_jobs):
    """Make a block of rows of a product, and add directions to the result."""
    rows, (source_weight, target_weight) = slice(*lo_hi), weights
    kernels, n_threads = twin(__package__, "cpu"), thread_count(n_jobs)
    indptr, indices, entries, scale = (array.open() for array in operator)
    part = Operator(indptr[rows.start : rows.stop + 1], indices, entries, scale[rows])
    source, sums = Rows(*(array.open() for array in source)), out.open("r+")[rows]
    made = Rows(*(array.open("r+")[rows] for array in target))
    if source_weight:
        mine = Rows(*(array[rows] for array in source))
        kernels.mix([(mine, source_weight)], fresh, sums, n_threads)
        fresh = False
    kernels.propagate(part, source, made, sums, 0.0, target_weight, fresh, n_threads)
    return rows.stop - rows.start


def _blocks(n, n_entries):
    rows = max(_ROWS, _ENTRIES * n // max(n_entries, 1) // _ROWS * _ROWS)
    return ((lo, min(n, lo + rows)) for lo in range(0, n, rows))


def _new_rows(folder, name, n, n_columns, storage):
    """Name files for rows."""
    units = n if storage == np.int8 else 0
    return Rows(
        Mapped.new(folder / f"{name}.values", storage, (n, padded(n_columns))),
        Mapped.new(folder / f"{name}.units", np.float32, (units,)),
        Mapped.new(folder / f"{name}.norms", np.float64, (n,)),
    )


def sum_of_powers_in_files(
    operator, start, weights, n_columns, storage, folder, executor, n_jobs
):  # fmt: skip
    """Do what `sum_of_powers` does, with powers and result in files of a folder.

    Parameters
    ----------
    operator : Operator
    start : Rows
    weights : ndarray of shape (q + 1,)
    n_columns : int
    storage : dtype
    folder : Path
        Reached under this name by all workers; takes three arrays of n rows, and the
        graph if it is not memory-mapped already.
    executor : concurrent.futures.Executor or None
    n_jobs : int or None
        Threads of each worker; None for those that it may take.

    Returns
    -------
    out : memmap of shape (n, n_columns)
    """
    n, q = len(operator.scale), len(weights) - 1
    folder.mkdir(parents=True, exist_ok=True)
    precision = np.float64 if storage == np.float64 else np.float32
    out = Mapped.new(folder / "embedding", precision, (n, n_columns))
    stored = Operator(*(
        Mapped.of(array, folder / name)
        for name, array in zip(Operator._fields, operator, strict=True)
    ))  # fmt: skip
    source = Rows(*(
        Mapped.of(array, folder / f"start.{name}")
        for name, array in zip(Rows._fields, start, strict=True)
    ))  # fmt: skip
    used = operator.scale
    for k in range(1, q + 1):
        target = _new_rows(folder, f"power{k % 2}", n if k < q else 0, n_columns, storage)
        target = target._replace(norms=Mapped.new(folder / f"norms{k % 2}", np.float64, (n,)))
        work = partial(
            _work, operator=stored, source=source, target=target, out=out,
            weights=(weights[k - 1], weights[k] if k == q else 0.0), fresh=False,
            n_jobs=n_jobs,
        )  # fmt: skip
        map_merge(executor, work, _blocks(n, len(operator.indices)), int.__add__)
        scale = rescaled(operator, target.norms.open()).scale
        if scale is not used:
            used = scale
            stored = stored._replace(scale=Mapped.of(scale, folder / f"scale{k}"))
        source = target
    return out.open("r+")
