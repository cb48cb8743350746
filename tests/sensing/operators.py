"""Measurements of each kind, and the same measurements one by one."""

import numpy as np
from scipy import fft, sparse
from scipy.linalg import hadamard
from scipy.sparse.linalg import aslinearoperator

from lowrank_la.sensing import (
    EntryMeasurements,
    GaussianMeasurements,
    KroneckerMeasurements,
    MatrixMeasurements,
    RankOneMeasurements,
    TransformMeasurements,
    as_measurements,
)
from lowrank_la.sketch import Gaussian
from tests.reference import sketch as reference


def normal(rng, *shape):
    return rng.standard_normal(shape)


def thinned(rng, *shape):
    """Half of the entries are zero."""
    return sparse.csr_array(normal(rng, *shape) * (rng.random(shape) < 0.5))


def places(m, shape, rng):
    return rng.integers(shape[0], size=m), rng.integers(shape[1], size=m)


def outer(a, b):
    return np.einsum("mi,mj->mij", a, b).reshape(len(a), -1)


def dense(m, shape, rng):
    A = normal(rng, m, *shape)
    return MatrixMeasurements(A), A.reshape(m, -1)


def of_sparse_rows(m, shape, rng):
    A = thinned(rng, m, shape[0] * shape[1])
    return MatrixMeasurements(A, shape), A.toarray()


def of_an_operator(m, shape, rng):
    A = normal(rng, m, shape[0] * shape[1])
    return MatrixMeasurements(aslinearoperator(A), shape), A


def of_callables(m, shape, rng):
    A = normal(rng, m, *shape)
    pair = (lambda X: np.tensordot(A, X, 2), lambda z: np.tensordot(z, A, 1))
    return as_measurements(pair, shape, m), A.reshape(m, -1)


def kept(m, shape, rng):
    return gaussian(m, shape, rng, True)


def made_anew(m, shape, rng):
    return gaussian(m, shape, rng, False)


def gaussian(m, shape, rng, kept):
    seed = int(rng.integers(100))
    S = Gaussian(m, shape[0] * shape[1], random_state=seed)
    A = GaussianMeasurements(m, shape, kept=kept, random_state=seed)
    return A, reference.gaussian(S._key, *S.shape)


def rank_one(m, shape, rng):
    a, b = normal(rng, m, shape[0]), normal(rng, m, shape[1])
    return RankOneMeasurements(a, b), outer(a, b)


def symmetric(m, shape, rng):
    a = normal(rng, m, shape[0])
    return RankOneMeasurements(a), outer(a, a)


def of_sparse_vectors(m, shape, rng):
    a, b = thinned(rng, m, shape[0]), normal(rng, m, shape[1])
    return RankOneMeasurements(a, sparse.csc_array(b)), outer(a.toarray(), b)


def entries(m, shape, rng):
    rows, columns = places(m, shape, rng)
    return EntryMeasurements(rows, columns, shape), outer(
        np.eye(shape[0])[rows], np.eye(shape[1])[columns]
    )


def kronecker(m, shape, rng):
    left, right = normal(rng, m, shape[0]), normal(rng, 3, shape[1])
    return KroneckerMeasurements(left, right), np.kron(left, right)


def sparse_kronecker(m, shape, rng):
    left, right = thinned(rng, m, shape[0]), thinned(rng, 2, shape[1])
    return KroneckerMeasurements(left, right), np.kron(left.toarray(), right.toarray())


def transformed(m, shape, rng, transform):
    """Of so many measurements as there can be, at most."""
    size = shape[0] * shape[1]
    A = TransformMeasurements(min(m, size), shape, transform, random_state=rng.integers(100))
    if transform == "dct":
        whole = np.kron(*(fft.dct(np.eye(n), axis=0, norm="ortho") for n in shape))
    else:
        number = 1 << (size - 1).bit_length()
        whole = hadamard(number)[:, :size] / number**0.5
    rows = whole[A._chosen] * A._signs
    return A, rows * (len(whole) / len(rows)) ** 0.5


def cosine(m, shape, rng):
    return transformed(m, shape, rng, "dct")


def walsh(m, shape, rng):
    return transformed(m, shape, rng, "hadamard")


KINDS = {
    builder.__name__: builder
    for builder in (
        dense, of_sparse_rows, of_an_operator, of_callables, kept, made_anew, rank_one, symmetric,
        of_sparse_vectors, entries, kronecker, sparse_kronecker, cosine, walsh,
    )
}  # fmt: skip
IN_FLOAT32 = {  # of arrays that are
    "matrix": lambda rng, m, n: MatrixMeasurements(normal(rng, m, n, n).astype(np.float32)),
    "rank one": lambda rng, m, n: RankOneMeasurements(normal(rng, m, n).astype(np.float32)),
    "entries": lambda rng, m, n: EntryMeasurements(*places(m, (n, n), rng), (n, n)),
    "kronecker": lambda rng, m, n: KroneckerMeasurements(
        *normal(rng, 2, m // n, n).astype(np.float32)
    ),
    "dct": lambda rng, m, n: TransformMeasurements(m, (n, n), random_state=0),
    "hadamard": lambda rng, m, n: TransformMeasurements(m, (n, n), "hadamard", random_state=0),
}


def built(kind, m, shape, seed=0):
    """Measurements, and their matrix; of square matrices where they are symmetric."""
    n1, n2 = shape
    return KINDS[kind](m, (n1, n1 if kind == "symmetric" else n2), np.random.default_rng(seed))
