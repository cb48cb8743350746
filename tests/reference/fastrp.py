"""FastRP as the paper states it, with dense matrices in float64."""

import numpy as np


def directions(U):
    """Rows divided by their lengths; rows of zeros stay."""
    lengths = np.linalg.norm(U, axis=1, keepdims=True)
    return np.divide(U, lengths, out=np.zeros_like(U), where=lengths > 0)


def similarity_matrix(A, similarity):
    """D^-1 A, A, or D^-1/2 A D^-1/2, with the inverse of zero taken for zero."""

    def inverse(x):
        return np.divide(1.0, x, out=np.zeros_like(x), where=x > 0)

    rows, columns = A.sum(axis=1), A.sum(axis=0)
    if similarity == "walk":
        return inverse(rows)[:, None] * A
    if similarity == "symmetric":
        return np.sqrt(inverse(rows))[:, None] * A * np.sqrt(inverse(columns))
    return A


def oriented(A, orientation="natural", bipartite=False):
    """Adjacency whose rows name the neighbours."""
    if bipartite:
        n, m = A.shape
        return np.block([[np.zeros((n, n)), A], [A.T, np.zeros((m, m))]])
    return {"natural": A, "reverse": A.T, "undirected": A + A.T}[orientation]


def powers(A, R, q, strength=0.0, similarity="walk"):
    """U_0 = L R and U_k = P U_(k-1), of an oriented matrix."""
    degrees = A.sum(axis=1)
    degrees = np.where(degrees > 0, degrees, 1.0)
    P = similarity_matrix(A, similarity)
    U = [degrees[:, None] ** strength * R]
    for _ in range(q):
        U.append(P @ U[-1])
    return U


def fastrp(A, R, weights, self_influence=0.0, strength=0.0, similarity="walk"):
    """Sum over the powers of their rows' directions, each with its weight."""
    weights = [self_influence, *weights]
    U = powers(A, R, len(weights) - 1, strength, similarity)
    return sum(w * directions(u) for w, u in zip(weights, U, strict=True))


def refined_rows(A, R, n_steps, similarity="walk"):
    """What stands in the place of R in the refined mode: up to a rotation of the columns."""
    P = similarity_matrix(A, similarity)
    U = fastrp(A, R, (1, 1), similarity=similarity)
    for _ in range(n_steps):
        U = directions(P @ (P @ U))
        U = np.linalg.svd(U - U.mean(axis=0), full_matrices=False)[0]
    return U


def refined(A, R, weights, n_components, n_steps, self_influence=0.0, similarity="walk"):
    """Principal components of the sum over the powers of refined rows; signs are arbitrary."""
    rows = refined_rows(A, R, n_steps, similarity)
    E = fastrp(A, rows, weights, self_influence, similarity=similarity)
    U, sizes, _ = np.linalg.svd(E - E.mean(axis=0), full_matrices=False)
    return (U * sizes)[:, :n_components]
