"""FastRP: very fast node embeddings by random projection.

Chen, Sultan, Tian, Chen & Skiena, "Fast and accurate network embeddings via very
sparse random projection", CIKM 2019 (arXiv:1908.11512).
"""

import numbers
import warnings
from dataclasses import dataclass, replace

import numpy as np

from .._support.blocks import thread_count
from .._support.cuda import is_device_array, resolve_device, to_host, twin
from .._support.random import as_generator
from .._support.validation import check_choice, check_integer, check_threads
from ._blocks import check_folder, sum_of_powers_in_files
from ._cpu import Operator, padded
from ._graph import ORIENTATIONS, SIMILARITIES, as_csr, as_graph, oriented
from ._powers import reweighted, sum_of_new, sum_of_powers
from ._projection import Projection, as_features, as_identities, as_projection
from ._refine import principal_components, whitened_rows

STORAGES = {"float32": np.float32, "float64": np.float64, "int8": np.int8}
EXTRA = 4  # columns of the result, to one more of the refined rows
STEPS = 2  # of the refined mode
_SHARE = 1e-32  # of the largest number, to a weight: it is divided by lengths of rows


def check_weights(weights, self_influence, dtype):
    """Weights of the powers 0, 1, ..., q as floats; the last is not zero in the results' dtype."""
    try:
        weights = np.array([self_influence, *np.asarray(weights).astype(float, casting="safe")])
    except (TypeError, ValueError) as error:
        raise ValueError(f"weights={weights!r}: a sequence of numbers is needed") from error
    limits = np.finfo(dtype)
    most = float(limits.max) * _SHARE
    if weights.ndim != 1 or not (abs(weights) <= most).all():
        raise ValueError(
            f"weights={weights[1:].tolist()}, self_influence={weights[0]}: finite numbers are "
            f"needed, of sizes up to {most:.0e} for results in {limits.dtype}"
        )
    weights[abs(weights) < limits.tiny] = 0
    if not weights[1:].any():
        raise ValueError(
            "weights: at least one power from the first on must have a weight that is not zero"
        )
    return weights[: np.flatnonzero(weights)[-1] + 1]


def check_number(name, value, least=-np.inf, most=np.inf):
    """Return a finite number within bounds as a float, or raise a ValueError."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not np.isfinite(value):
        raise ValueError(f"{name}={value!r}: a finite number is needed")
    if not least <= value <= most:
        raise ValueError(f"{name}={value!r}: a number from {least:g} to {most:g} is needed")
    return float(value)


def check_steps(refine):
    """Return the number of whitened steps; none for the plain mode."""
    if isinstance(refine, bool | np.bool):
        return STEPS if refine else 0
    if not isinstance(refine, numbers.Integral) or refine < 0:
        raise ValueError(f"refine={refine!r}: True, False, or a number of steps is needed")
    return int(refine)


def clip_components(n_components, n_nodes, stacklevel=3):
    """Return at most as many components as there are nodes, with a warning if that is fewer."""
    if n_components > n_nodes:
        warnings.warn(
            f"n_components={n_components} is more than the graph has nodes: {n_nodes} are used",
            stacklevel=stacklevel,
        )
    return min(n_components, n_nodes)


def precision(storage):
    """Type of sums and results, where the powers are stored in another."""
    return np.float64 if storage == np.float64 else np.float32


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
    n_steps: int
    key: int

    @classmethod
    def check(
        cls, weights, self_influence, normalization_strength, similarity, orientation, bipartite,
        projection, feature_ratio, refine, storage, random_state,
    ):  # fmt: skip
        """Return the options, or raise a ValueError that names one."""
        check_choice("similarity", similarity, SIMILARITIES)
        check_choice("orientation", orientation, ORIENTATIONS)
        check_choice("storage", storage, STORAGES)
        if not isinstance(bipartite, bool | np.bool):
            raise ValueError(f"bipartite={bipartite!r}: True or False is needed")
        return cls(
            check_weights(
                weights, check_number("self_influence", self_influence),
                precision(STORAGES[storage]),
            ),
            check_number("normalization_strength", normalization_strength),
            similarity, orientation, bool(bipartite), projection,
            check_number("feature_ratio", feature_ratio, 0.0, 1.0), STORAGES[storage],
            check_steps(refine), int(as_generator(random_state).integers(2**64, dtype=np.uint64)),
        )  # fmt: skip

    @property
    def precision(self):
        """Type of sums and results."""
        return precision(self.storage)

    def graph(self, A, n_threads, name="A"):
        """Return the graph of an adjacency matrix in CSR form."""
        matrix = oriented(A, self.orientation, self.bipartite, name)
        return as_graph(
            matrix, self.similarity, self.strength, self.precision, A.shape[0], n_threads, name
        )

    def start(self, n, n_components, features, node_ids):
        """Return the projection of a graph of n nodes."""
        n_columns = self.width(n_components, n)
        n_features = round(self.feature_ratio * n_columns)
        if (features is None) != (n_features == 0):
            raise ValueError(
                f"feature_ratio={self.feature_ratio:g} makes {'some' if n_features else 'none'} of "
                f"n_components={n_components} of features, but features are "
                f"{'not given' if features is None else 'given'}"
            )
        if features is not None:
            features = as_features(features, n, self.precision)
        return Projection(
            as_projection(self.projection, n, n_columns - n_features, self.precision), n_columns,
            self.key, as_identities(node_ids, n), features, n_features,
        )  # fmt: skip

    def width(self, n_components, n_nodes):
        """Columns of the rows that are propagated."""
        if not self.n_steps:
            return n_components
        return min(n_nodes, padded(n_components + n_components // EXTRA))

    def embed(self, device, graph, projection, n_components, keep, n_threads, callback=None):
        """Return the embedding of a graph, with all powers if they are to be kept."""
        kernels = twin(__package__, device)
        operator = Operator(*map(kernels.to_device, graph.operator))
        start = projection.rows(kernels, graph.start, self.precision, n_threads)
        n_columns = projection.n_columns
        if self.n_steps:
            columns = graph.columns
            if columns is not None:
                columns = kernels.to_device(columns.astype(self.precision))
            start = whitened_rows(
                kernels, operator, columns, start, n_columns, self.n_steps, n_threads, callback
            )
        sums, powers = sum_of_powers(
            kernels, operator, start, self.weights, n_columns, self.storage, keep, n_threads,
            callback,
        )  # fmt: skip
        fitted = Embedding(device, None, powers, n_columns, n_components, self.n_steps > 0, None)
        return fitted.of_sums(sums, n_threads)

    def embed_in_files(self, graph, projection, folder, executor, n_jobs):
        """Return the embedding of a graph as a file of a folder, mapped into memory."""
        kernels = twin(__package__, "cpu")
        start = projection.rows(kernels, graph.start, self.precision, thread_count(n_jobs))
        return sum_of_powers_in_files(
            graph.operator, start, self.weights, projection.n_columns, self.storage, folder,
            executor, n_jobs,
        )  # fmt: skip


@dataclass(frozen=True)
class Embedding:
    """An embedding, and what others are made from: the powers and the principal components.

    Attributes
    ----------
    device : {"cpu", "cuda"}
    values : array of shape (n, n_components)
    powers : list of Rows
        Empty if they were not kept.
    n_columns, n_components : int
        Of the powers, and of the embedding.
    refined : bool
    axes : tuple of array of shape (n_columns,) and (n_columns, n_components), or None
        Mean of the sums, and their principal components, in the refined mode.
    """

    device: str
    values: np.ndarray
    powers: list
    n_columns: int
    n_components: int
    refined: bool
    axes: tuple | None

    @property
    def kernels(self):
        """Loops for the device."""
        return twin(__package__, self.device)

    def of_sums(self, sums, n_threads):
        """Return the embedding that sums of powers make."""
        if not self.refined:
            return replace(self, values=sums)
        axes = principal_components(self.kernels, sums, self.n_components, n_threads)
        return replace(self, values=self.kernels.mapped(sums, *axes, n_threads), axes=axes)

    def reweighted(self, weights, n_threads):
        """Return the embedding by other weights of the powers."""
        sums = reweighted(
            self.kernels, self.powers, weights, self.n_columns, self.values.dtype, n_threads
        )
        return self.of_sums(sums, n_threads)

    def of_new(self, rows, weights, first, n_threads):
        """Embed nodes from their rows (in CSR form) to the nodes from the first one on."""
        powers = [type(U)(*(part[first:] for part in U)) for U in self.powers]
        sums = sum_of_new(
            self.kernels, rows, powers, weights, self.n_columns, self.values.dtype, n_threads
        )
        return self.kernels.mapped(sums, *self.axes, n_threads) if self.refined else sums


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
    refine=False,
    storage="float32",
    random_state=None,
    n_jobs=None,
    device=None,
    folder=None,
    executor=None,
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
        Of a CSR matrix, memory-mapped or not, the arrays are used in place, but for
        64-bit indices that 32 bits can hold, and weights of another type than the
        result's, unless all are alike: these are copied. (n, m) if `bipartite`. The
        nodes of a graph of networkx are taken in its own order, that of ``list(A)``.
    n_components : int, default=128
        Length d of an embedding; more than there are nodes are clipped, with a warning.
    weights : sequence of float, default=(0.0, 1.0, 1.0)
        ``weights[i]`` is that of the power i + 1 of the matrix; the default is
        that of Neo4j GDS. (0, 0, 1, 6.67) are the paper's for BlogCatalog.
    normalization_strength : float, default=0.0
        The row that a node begins with, random or of features, is multiplied by this
        power of its degree, the sum of the weights of its neighbours: negative values
        make nodes with many of them count less. Degree zero counts as one.
    similarity : {"walk", "adjacency", "symmetric"}, default="walk"
        The matrix whose powers are taken: D⁻¹A, averages over neighbours; A, sums;
        or D^-1/2 A D^-1/2, of the degrees of rows and of columns.
    projection : {"hashed", "sparse", "very_sparse", "gaussian"} or array, default="hashed"
        The random rows: one entry of plus or minus one; a third of the entries; one of
        √n entries; all entries. Their quality is the same, "hashed" is the fastest.
        An array of shape (n, d), less the columns for features, is used as it is; it
        has more columns if `refine` (the error for another shape tells how many).
    self_influence : float, default=0.0
        Weight of the power 0: of a node's own random row or, if `refine`, of the row that
        is in its place.
    orientation : {"natural", "reverse", "undirected"}, default="natural"
        Whether neighbours are the targets of a node's edges, their sources, or both.
    bipartite : bool, default=False
        Rows and columns of A are different nodes; the result has n + m rows, those of
        the rows of A first, then those of its columns. So have `features`, `node_ids`
        and a `projection` that is an array.
    features : array_like or sparse matrix of shape (n, n_features), default=None
        Features of the nodes, scaled by you: rows of length about one are as heavy as
        the random ones.
    feature_ratio : float, default=0.0
        Share of the components that begin as a random projection of the features.
    node_ids : sequence of int or of str, default=None
        Distinct; what the random rows of a projection with a name depend on, instead of
        positions: another order of the nodes then gives the same embeddings, up to
        rounding (and, if `refine`, up to the choice of principal components of equal
        variance). Unless `refine` or "very_sparse", a new node changes only what the
        powers in use reach.
    refine : bool or int, default=False
        Replace the random rows, before the `weights` are applied, by rows that span
        nearly the leading eigenvectors, and return the principal components of the
        sum: the quality of factorisations in linear time. A number is one of whitened
        steps, 0 for none; True takes two.
    storage : {"float32", "float64", "int8"}, default="float32"
        How the powers are stored. The result is float64 for "float64", else float32;
        "int8" takes a quarter of the memory, for a small error.
    random_state : None, int, Generator or RandomState, default=None
        Seeds the random rows.
    n_jobs : int, default=None
        Threads; None takes what Numba and joblib allow. The result is the same
        for any number.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where A lies.
    folder : path, default=None
        Keep powers and result in files there, memory-mapped, and work on blocks of
        rows: for graphs and embeddings beyond memory. A new folder, or an empty one,
        for each call; the files stay. Not with `refine`, nor on a GPU. What is returned
        is a numpy.memmap of one of the files, whose name is its `filename`.
    executor : concurrent.futures.Executor, default=None
        Works on the blocks: threads, processes, or a cluster that reaches `folder`.
        `n_jobs` is the number of threads of each worker then.

    Returns
    -------
    embedding : array of shape (n, d), or (n + m, d) if `bipartite`
        Rows of nodes without neighbours are zero; with `self_influence`, their random
        rows; all alike if `refine`. On the GPU if A is there.

    Raises
    ------
    ValueError
        If an argument is not what is described here, the weights of a row sum to zero or
        less where they are divided by, or `weights`, `features` or `projection` have
        numbers that are out of the range of the result's type.

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
    Neo4j GDS normalises each before it goes on. Rows of a power that are shorter than
    1e-32 count as zero, where the longest are of moderate length: sums ("adjacency")
    of weights that differ so much can be.

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
        projection, feature_ratio, refine, storage, random_state,
    )  # fmt: skip
    if n_jobs is not None:
        check_threads("n_jobs", n_jobs)
    given = getattr(A, "indptr", A)
    device, n_threads = resolve_device(device, given), thread_count(n_jobs)
    folder = check_folder(folder, executor)
    if folder is not None and (model.n_steps or device != "cpu"):
        raise ValueError("folder: files are for device='cpu' and refine=False only")
    graph = model.graph(as_csr(A), n_threads)
    n_nodes = len(graph.start)
    n_components = clip_components(n_components, n_nodes)
    projection = model.start(n_nodes, n_components, features, node_ids)
    if folder is not None:
        return model.embed_in_files(graph, projection, folder, executor, n_jobs)
    found = model.embed(device, graph, projection, n_components, False, n_threads).values
    return found if is_device_array(given) else to_host(found)
