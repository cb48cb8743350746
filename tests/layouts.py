"""The same numbers in every way that a matrix may hold them."""

import numpy as np
from scipy import sparse


def dense_forms(array, folder):
    """Writable and not, mapped, in any order, stride and byte order."""
    path = folder / f"array.{array.dtype.name}"
    array.tofile(path)
    frozen = array.copy()
    frozen.flags.writeable = False
    wide = np.full((2 * len(array), array.shape[1] + 3), np.nan, array.dtype)
    wide[::2, 3:] = array
    odd = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    odd[...] = array
    return {
        "C": array.copy(),
        "Fortran": np.asfortranarray(array),
        "read-only": frozen,
        "memory map": np.memmap(path, array.dtype, "r", shape=array.shape),
        "strided": wide[::2, 3:],
        "reversed": array[::-1, ::-1].copy()[::-1, ::-1],
        "big-endian": array.astype(array.dtype.newbyteorder(">")),
        "unaligned": odd,
    }


def sparse_forms(array):
    """Compressed by rows and by columns, as matrix and array, tidy and not."""
    csr = sparse.csr_array(array)
    reversed_rows = csr.copy()
    for lo, hi in zip(csr.indptr[:-1], csr.indptr[1:], strict=True):
        reversed_rows.indices[lo:hi] = csr.indices[lo:hi][::-1]
        reversed_rows.data[lo:hi] = csr.data[lo:hi][::-1]
    reversed_rows.has_sorted_indices = False
    rows, columns = np.nonzero(array)
    halves = np.tile(array[rows, columns] / 2, 2), (np.tile(rows, 2), np.tile(columns, 2))
    everything = array.ravel(), tuple(index.ravel() for index in np.indices(array.shape))
    long = csr.copy()
    long.indices, long.indptr = long.indices.astype(np.int64), long.indptr.astype(np.int64)
    return {
        "csr array": csr,
        "csr matrix": sparse.csr_matrix(array),
        "csc": sparse.csc_array(array),
        "repeated entries": sparse.coo_array(halves, shape=array.shape),
        "unsorted": reversed_rows,
        "explicit zeros": sparse.csr_array(everything, shape=array.shape),
        "64-bit indices": long,
    }
