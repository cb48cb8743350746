"""FastRP: very fast node embeddings by random projection.

Chen, Sultan, Tian, Chen & Skiena, "Fast and accurate network embeddings via very
sparse random projection", CIKM 2019 (arXiv:1908.11512).
"""

import numbers
import warnings
from dataclasses import dataclass

import numpy as np

from .._support.blocks import thread_count
from .._support.cuda import resolve_device, twin
from .._support.random import as_generator
from .._support.validation import check_integer, check_threads
from ._cpu import Operator
from ._graph import ORIENTATIONS, SIMILARITIES, as_csr, as_graph, oriented
from ._projection import Projection, as_features, as_identities, as_projection

STORAGES = {"float32": np.float32, "float64": np.float64, "int8": np.int8}
_FARTHEST = 2.0**60  # lengths of rows beyond, or below its inverse, are scaled


def check_weights(weights, self_influence):
    """Weights of the powers 0, 1, ..., q as floats; the last is not zero."""
    try:
        weights = np.array([self_influence, *weights], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"weights={weights!r}: a sequence of numbers is needed") from error
    if weights.ndim != 1 or not np.isfinite(weights).all():
        raise ValueError(f"weights={weights[1:]!r}, self_influence={weights[0]!r}: finite numbers")
    if not weights[1:].any():
        raise ValueError("weights: at least one power must have a weight that is not zero")
    return weights[: np.flatnonzero(weights)[-1] + 1]


def check_number(name, value, least=-np.inf, most=np.inf):
    """Return a finite number within bounds as a float, or raise a ValueError."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not np.isfinite(value):
        raise ValueError(f"{name}={value!r}: a finite number is needed")
    if not least <= value <= most:
        raise ValueError(f"{name}={value!r}: a number from {least:g} to {most:g} is needed")
    return float(value)


def check_choice(name, value, choices):
    """Refuse what is none of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}={value!r} is unknown; use one of {', '.join(choices)}")


def clip_components(n_components, n_nodes, stacklevel=3):
    """Return at most as many components as there are nodes, with a warning if that is fewer."""
    if n_components > n_nodes:
        warnings.warn(
            f"n_components={n_components} is more than the graph has nodes: {n_nodes} are used",
            stacklevel=stacklevel,
        )
    return min(n_components, n_nodes)


def sum_of_powers(
    kernels, operator, start, weights, n_columns, storage, keep, n_threads, callback=None
):
    """Sum of the powers of a matrix times given rows, each row of each divided by its length.

    Parameters
    ----------
    kernels : module
    operator : Operator
        The matrix M, n x n.
    start : Rows
        U_0.
    weights : ndarray of shape (q + 1,)
        Of the powers U_k = M^k U_0.
    n_columns : int
    storage : dtype
        Of the powers between the first and the last, which is never written.
    keep : bool
        Whether to write and return all powers.
    n_threads : int
    callback : callable, optional
        Called with a dict after each power.

    Returns
    -------
    out : array of shape (n, n_columns)
        The sum over k of ``weights[k]`` times the rows of U_k divided by their lengths.
    powers : list of Rows
        U_0, ..., U_q; empty if they are not kept.
    """
    n, q = len(operator.scale), len(weights) - 1
    precision = np.float64 if storage == np.float64 else np.float32
    source, spare, out, powers = start, None, None, [start]
    for k in range(1, q + 1):
        last = k == q
        if spare is None or last:
            target = kernels.empty_rows(n, n_columns, storage, written=keep or not last)
        else:
            target, spare = spare, None
        adds = last or weights[k - 1] != 0
        fresh = adds and out is None
        if fresh:
            out = _recycled(spare, n_columns, precision)
            out = kernels.empty((n, n_columns), precision) if out is None else out
        kernels.propagate(
            operator, source, target, out if adds else kernels.empty((n, 0), precision),
            weights[k - 1], weights[k] if last else 0.0, fresh, n_threads,
        )  # fmt: skip
        if keep:
            powers.append(target)
        else:
            spare = source if source.kind == target.kind else None
        if callback:
            callback({"power": k})
        source, operator = target, _rescaled(operator, target.norms)
    return out, powers if keep else []


def _recycled(spare, n_columns, dtype):
    """Memory of rows that nobody reads any more, if it is what the result needs."""
    if spare is None or spare.values.dtype != dtype or spare.values.shape[1] != n_columns:
        return None
    return spare.values


def _rescaled(operator, norms):
    """Keep lengths from overflow, and from vanishing, by a power of two: directions stay."""
    longest = float(norms.max())
    if not longest or 1 / _FARTHEST < longest < _FARTHEST:
        return operator
    factor = operator.scale.dtype.type(2.0 ** -np.round(np.log2(longest)))
    return operator._replace(scale=operator.scale * factor)


@dataclass(frozen=True)
class Model:
    """Checked options of an embedding, and the random numbers that it takes."""

    weights: np.ndarray
    strength: float
    similarity: str
    orientation: str
    bipartite: bool
    projection: str | np.ndarray
    feature_ratio: float
    storage: type
    key: int

    @classmethod
    def check(
        cls, weights, self_influence, normalization_strength, similarity, orientation, bipartite,
        projection, feature_ratio, storage, random_state,
    ):  # fmt: skip
        """Return the options, or raise a ValueError that names one."""
        check_choice("similarity", similarity, SIMILARITIES)
        check_choice("orientation", orientation, ORIENTATIONS)
        check_choice("storage", storage, STORAGES)
        if not isinstance(bipartite, bool | np.bool):
            raise ValueError(f"bipartite={bipartite!r}: True or False is needed")
        return cls(
            check_weights(weights, check_number("self_influence", self_influence)),
            check_number("normalization_strength", normalization_strength),
            similarity, orientation, bool(bipartite), projection,
            check_number("feature_ratio", feature_ratio, 0.0, 1.0), STORAGES[storage],
            int(as_generator(random_state).integers(2**64, dtype=np.uint64)),
        )  # fmt: skip

    @property
    def precision(self):
        """Type of sums and results."""
        return np.float64 if self.storage == np.float64 else np.float32

    def graph(self, A, n_threads, name="A"):
        """Return the graph of an adjacency matrix in CSR form."""
        matrix = oriented(A, self.orientation, self.bipartite, name)
        return as_graph(
            matrix, self.similarity, self.strength, self.precision, A.shape[0], n_threads, name
        )

    def start(self, n, n_columns, features, node_ids):
        """Return the projection of a graph of n nodes."""
        n_features = round(self.feature_ratio * n_columns)
        if (features is None) != (n_features == 0):
            raise ValueError(
                f"feature_ratio={self.feature_ratio:g} with n_components={n_columns} makes "
                f"{n_features} components of features, but features are "
                f"{'not given' if features is None else 'given'}"
            )
        return Projection(
            as_projection(self.projection, n, n_columns - n_features), n_columns, self.key,
            as_identities(node_ids, n), None if features is None else as_features(features, n),
            n_features,
        )  # fmt: skip

    def embed(self, kernels, graph, projection, keep, n_threads, callback=None):
        """Return the embedding of a graph, and all powers if they are to be kept."""
        operator = Operator(*map(kernels.to_device, graph.operator))
        start = projection.rows(kernels, graph.start, self.precision, n_threads)
        return sum_of_powers(
            kernels, operator, start, self.weights, projection.n_columns, self.storage, keep,
            n_threads, callback,
        )  # fmt: skip


def sum_of_new(kernels, rows, powers, weights, n_columns, dtype, n_threads):
    """Embed nodes that are not in the graph, from their edges to those that are.

    Parameters
    ----------
    kernels : module
    rows : tuple of array
        ``indptr``, ``indices`` and ``weights`` of the new rows of the adjacency.
    powers : list of Rows
        U_0, ..., U_(q-1) at least.
    weights : ndarray of shape (q + 1,)
        That of the power 0 does not count: the new nodes have no random rows.
    n_columns : int
    dtype : dtype
    n_threads : int

    Returns
    -------
    out : array of shape (n_new, n_columns)
        Its rows are sums of ``weights[k]`` times the direction of a row of
        ``P_new U_(k-1)``; factors of rows do not matter to directions.
    """
    n = len(rows[0]) - 1
    scale = np.ones(n, dtype)
    operator = Operator(*map(kernels.to_device, (*rows, scale)))
    out, fresh = kernels.empty((n, n_columns), dtype), True
    for power, weight in zip(powers, weights[1:], strict=False):
        if weight:
            target = kernels.empty_rows(n, n_columns, dtype, written=False)
            kernels.propagate(operator, power, target, out, 0.0, weight, fresh, n_threads)
            fresh = False
    return out


def reweighted(kernels, powers, weights, n_columns, dtype, n_threads):
    """Sum of the directions of kept powers, each with its weight."""
    out, fresh = kernels.empty((len(powers[0].norms), n_columns), dtype), True
    for power, weight in zip(powers, weights, strict=False):
        if weight:
            kernels.mix(power, weight, fresh, out, n_threads)
            fresh = False
    return out


def fastrp(
    A,
    n_components=128,
    *,
    weights=(0.0, 1.0, 1.0),
    normalization_strength=0.0,
    similarity="walk",
    projection="hashed",
    self_influence=0.0,
    orientation="natural",
    bipartite=False,
    features=None,
    feature_ratio=0.0,
    node_ids=None,
    storage="float32",
    random_state=None,
    n_jobs=None,
    device=None,
):
    """Embed the nodes of a graph with FastRP.

    Random rows, one to a node, are averaged over neighbours, neighbours of neighbours
    and so on; the averages, each divided by its length, are added up with weights.
    Nodes whose neighbourhoods overlap get similar rows.

    Parameters
    ----------
    A : sparse matrix, array_like, or networkx graph, of shape (n, n)
        Adjacency: ``A[i, j]`` is the weight of the edge from node i to node j. Any
        format of SciPy; entries may be unsorted and repeated, indices of 32 or 64 bits.
        CSR matrices are used in place, memory maps too. (n, m) if `bipartite`.
    n_components : int, default=128
        Length d of an embedding; more than there are nodes are clipped, with a warning.
    weights : sequence of float, default=(0.0, 1.0, 1.0)
        ``weights[i]`` is that of the power i + 1 of the matrix; the default is
        that of Neo4j GDS. (0, 0, 1, 6.67) are the paper's for BlogCatalog.
    normalization_strength : float, default=0.0
        The random row of a node is multiplied by this power of its degree: negative
        values make nodes with many neighbours count less. Degree zero counts as one.
    similarity : {"walk", "adjacency", "symmetric"}, default="walk"
        The matrix whose powers are taken: D⁻¹A, averages over neighbours; A, sums;
        or D^-1/2 A D^-1/2, of the degrees of rows and of columns.
    projection : {"hashed", "sparse", "very_sparse", "gaussian"} or array, default="hashed"
        The random rows: one entry of plus or minus one; a third of the entries; one of
        √n entries; all entries. Their quality is the same, "hashed" is the fastest.
        An array of shape (n, d), less the columns for features, is used as it is.
    self_influence : float, default=0.0
        Weight of the power 0: of a node's own random row.
    orientation : {"natural", "reverse", "undirected"}, default="natural"
        Whether neighbours are the targets of a node's edges, their sources, or both.
    bipartite : bool, default=False
        Rows and columns of A are different nodes; the result has n + m rows.
    features : array_like or sparse matrix of shape (n, n_features), default=None
        Features of the nodes, scaled by you: rows of length about one are as heavy as
        the random ones.
    feature_ratio : float, default=0.0
        Share of the components that begin as a random projection of the features.
    node_ids : sequence of int or of str, default=None
        Distinct; what the random rows depend on, instead of positions: embeddings then
        do not depend on the order of the nodes.
    storage : {"float32", "float64", "int8"}, default="float32"
        How the powers are stored. The result is float64 for "float64", else float32;
        "int8" takes a quarter of the memory, its error is about one percent.
    random_state : None, int, Generator or RandomState, default=None
        Seeds the random rows.
    n_jobs : int, default=None
        Threads; None takes what Numba and joblib allow. The result is the same
        for any number.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where A lies.

    Returns
    -------
    embedding : array of shape (n, d)
        Rows of nodes without neighbours are zero (unless `self_influence`). On the GPU
        if A is there.

    Raises
    ------
    ValueError
        If an argument is not what is described here, or the weights of a row sum to
        zero or less where they are divided by.

    Warns
    -----
    UserWarning
        If `n_components` is more than there are nodes.

    See Also
    --------
    FastRP : The estimator, which also embeds nodes that were not in the graph.

    Notes
    -----
    O(q m d) time for q powers and m edges, and two arrays of n x d numbers of memory
    besides the graph (a third, if powers before the last two have weights): the last
    power is never written, nor the random rows if they are hashed.

    The powers stay linear, as in the paper, and are normalised when they are added up;
    Neo4j GDS normalises each before it goes on.

    References
    ----------
    H. Chen, S. F. Sultan, Y. Tian, M. Chen, S. Skiena. Fast and accurate network
    embeddings via very sparse random projection. CIKM 2019, equations 4-6.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.embedding import fastrp
    >>> A = np.kron(np.eye(2), np.ones((4, 4)))  # two groups of four
    >>> E = fastrp(A, 8, random_state=0)
    >>> E.shape, bool(np.allclose(E[0], E[3])), bool(np.allclose(E[0], E[4]))
    ((8, 8), True, False)
    """
    n_components = check_integer("n_components", n_components, 1)
    model = Model.check(
        weights, self_influence, normalization_strength, similarity, orientation, bipartite,
        projection, feature_ratio, storage, random_state,
    )  # fmt: skip
    if n_jobs is not None:
        check_threads("n_jobs", n_jobs)
    device = resolve_device(device, getattr(A, "indptr", A))
    n_threads = thread_count(n_jobs)
    graph = model.graph(as_csr(A), n_threads)
    n_nodes = len(graph.start)
    projection = model.start(n_nodes, clip_components(n_components, n_nodes), features, node_ids)
    kernels = twin(__package__, device)
    embedding, _ = model.embed(kernels, graph, projection, False, n_threads)
    return embedding
