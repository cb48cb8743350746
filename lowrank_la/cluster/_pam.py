"""k-medoids on a matrix of dissimilarities: PAM and what it has become.

Schubert & Rousseeuw, "Fast and eager k-medoids clustering: O(k) runtime
improvement of the PAM, CLARA, and CLARANS algorithms", Information Systems 101
(2021).
"""

from .._support.random import as_generator
from .._support.validation import check_integer, warn_not_converged
from ._dissimilarities import Dissimilarities
from ._init import check_init
from ._search import Run
from ._solve import Task, best_of_starts, deadline, optimise

_FUNCTIONS = {"alternate": "alternating"}  # where the method has another name


def fasterpam(
    diss,
    medoids,
    max_iter=100,
    init="random",
    random_state=None,
    n_cpu=-1,
    *,
    sample_weight=None,
    fixed_medoids=None,
    n_init=1,
    n_perturbations=0,
    max_time=None,
    device=None,
    callback=None,
):
    """Cluster objects around k of them with FasterPAM.

    Every candidate in turn is tried against all medoids at once, and takes the
    place of the one that it improves on most. The result is a local optimum
    under every single swap of a medoid for another object.

    Parameters
    ----------
    diss : array_like of shape (n, n) or (n (n - 1) / 2,)
        Dissimilarities: ``diss[i, j]`` is the cost of serving object i by
        medoid j. It need not be symmetric, nor a metric. float32 and float64
        are used as they are, other numeric types are converted to float64. A
        matrix in Fortran order, or a symmetric one in C order, is used in
        place (memory maps too); any other is transposed into a copy once. A
        condensed vector, as :func:`scipy.spatial.distance.pdist` makes it, is
        expanded to a matrix.
    medoids : int or array_like of shape (k,)
        How many medoids to choose, or the initial ones as indices.
    max_iter : int, default=100
        Passes over the candidates at most.
    init : {"random", "first", "build", "lab", "k-medoids++"}, default="random"
        Initial medoids if `medoids` is a number: distinct random objects; the
        first k objects; the greedy choice of :func:`pam_build`, O(n² k); the same
        within a random sample of 10 + √n objects for each medoid (LAB), O(n k); or
        random objects that are the likelier, the more they cost so far, O(n k).
    random_state : None, int, Generator or RandomState, default=None
        Seeds the random initial medoids.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result is the same
        for any number.
    sample_weight : array_like of shape (n,), default=None
        Non-negative weights of the objects in the loss. An object of weight
        zero never becomes a medoid.
    fixed_medoids : array_like of int, default=None
        Objects that are medoids and stay so, among the `medoids` that are wanted;
        they take the first slots. Their weights may be zero.
    n_init : int, default=1
        Random starts on the one matrix, if `medoids` is a number and `init` is
        random; the best result is returned. The first tries the candidates in their
        order in `diss`, the others in a random one.
    n_perturbations : int, default=0
        Iterated local search: so many times, up to eight medoids are replaced by
        random objects and eager swaps made from there; what is not worse is kept.
        What random starts cannot find in the same time it often does where there
        are many medoids and no clear clusters.
    max_time : float, default=None
        Seconds after which to stop with what has been found. The choice of initial
        medoids counts, but is not cut short; so does compilation, in a first call.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where `diss` lies.
    callback : callable, default=None
        Called after each pass or perturbation with a dict of ``n_iter`` and the least
        ``loss`` so far, in each start; if it returns True all stops there.

    Returns
    -------
    result : KMedoidsResult
        With ``loss``, ``labels``, ``medoids``, ``n_iter``, ``n_swap``,
        ``converged`` and ``history``.

    Raises
    ------
    ValueError
        If an argument is not what is described here; NaN or infinite
        dissimilarities are found when they are first read.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` passes or `max_time` seconds were not enough.

    Notes
    -----
    A pass costs O(n²) for all k medoids together and reads the matrix once; a
    few passes are enough in practice. Besides the matrix, O(n k) memory is
    needed.

    Whether a C-ordered matrix is symmetric is seen from all entries up to
    n = 1024, and beyond from two random entries of each row and those that the
    final loss adds up: comparing all would take longer than the search. If few
    entries of a large matrix differ from their mirror images, and they matter,
    pass it in Fortran order: that is always read as it stands.

    References
    ----------
    E. Schubert, P. J. Rousseeuw. Fast and eager k-medoids clustering.
    Information Systems 101, 101804 (2021).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import fasterpam
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> result = fasterpam(abs(x[:, None] - x), 2, random_state=0)
    >>> sorted(result.medoids.tolist()), result.loss
    ([1, 4], 4.0)
    """
    return _solve(
        "fasterpam", diss, medoids, max_iter, init, random_state, n_cpu,
        sample_weight=sample_weight, fixed_medoids=fixed_medoids, n_init=n_init,
        n_perturbations=n_perturbations, max_time=max_time, device=device, callback=callback,
    )  # fmt: skip


def fastpam1(
    diss,
    medoids,
    max_iter=100,
    init="random",
    random_state=None,
    *,
    sample_weight=None,
    fixed_medoids=None,
    max_time=None,
    n_cpu=-1,
    device=None,
    callback=None,
):
    """Cluster objects around k of them with the swaps of PAM (FastPAM1).

    Each pass makes the one swap that improves most, as PAM does, but finds it for
    all k medoids at once. :func:`fasterpam` makes as many swaps in far fewer
    passes, and its results are as good.

    Parameters
    ----------
    diss : array_like of shape (n, n) or (n (n - 1) / 2,)
        Dissimilarities, as for :func:`fasterpam`.
    medoids : int or array_like of shape (k,)
        How many medoids to choose, or the initial ones as indices.
    max_iter : int, default=100
        Passes, and so swaps, at most.
    init : {"random", "first", "build", "lab", "k-medoids++"}, default="random"
        Initial medoids if `medoids` is a number, as for :func:`fasterpam`.
    random_state : None, int, Generator or RandomState, default=None
        Seeds the random initial medoids.
    sample_weight : array_like of shape (n,), default=None
        Non-negative weights of the objects in the loss. An object of weight
        zero never becomes a medoid.
    fixed_medoids : array_like of int, default=None
        Objects that are medoids and stay so; they take the first slots.
    max_time : float, default=None
        Seconds after which to stop with what has been found.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result is the same
        for any number.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where `diss` lies.
    callback : callable, default=None
        Called after each pass with a dict of ``n_iter`` and ``loss``; if it
        returns True the search stops there.

    Returns
    -------
    result : KMedoidsResult

    Raises
    ------
    ValueError
        If an argument is not what is described here.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` passes or `max_time` seconds were not enough.

    Notes
    -----
    A pass costs O(n²), and each makes one swap.

    References
    ----------
    E. Schubert, P. J. Rousseeuw. Faster k-medoids clustering: improving the PAM,
    CLARA, and CLARANS algorithms. SISAP 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import fastpam1
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> result = fastpam1(abs(x[:, None] - x), [0, 1])
    >>> result.medoids.tolist(), result.loss, result.n_swap
    ([4, 1], 4.0, 1)
    """
    return _solve(
        "fastpam1", diss, medoids, max_iter, init, random_state, n_cpu,
        sample_weight=sample_weight, fixed_medoids=fixed_medoids, max_time=max_time,
        device=device, callback=callback,
    )  # fmt: skip


def fastpam2(
    diss,
    medoids,
    max_iter=100,
    init="random",
    random_state=None,
    *,
    sample_weight=None,
    fixed_medoids=None,
    max_time=None,
    n_cpu=-1,
    device=None,
    callback=None,
):
    """Cluster objects around k of them with FastPAM2.

    Each pass finds the best swap of every medoid, and makes these swaps one after
    the other, the best first, as far as they still improve.

    Parameters
    ----------
    diss : array_like of shape (n, n) or (n (n - 1) / 2,)
        Dissimilarities, as for :func:`fasterpam`.
    medoids : int or array_like of shape (k,)
        How many medoids to choose, or the initial ones as indices.
    max_iter : int, default=100
        Passes at most.
    init : {"random", "first", "build", "lab", "k-medoids++"}, default="random"
        Initial medoids if `medoids` is a number, as for :func:`fasterpam`.
    random_state : None, int, Generator or RandomState, default=None
        Seeds the random initial medoids.
    sample_weight : array_like of shape (n,), default=None
        Non-negative weights of the objects in the loss. An object of weight
        zero never becomes a medoid.
    fixed_medoids : array_like of int, default=None
        Objects that are medoids and stay so; they take the first slots.
    max_time : float, default=None
        Seconds after which to stop with what has been found.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result is the same
        for any number.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where `diss` lies.
    callback : callable, default=None
        Called after each pass with a dict of ``n_iter`` and ``loss``; if it
        returns True the search stops there.

    Returns
    -------
    result : KMedoidsResult

    Raises
    ------
    ValueError
        If an argument is not what is described here.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` passes or `max_time` seconds were not enough.

    Notes
    -----
    A pass costs O(n²), and O(n) for each swap.

    References
    ----------
    E. Schubert, P. J. Rousseeuw. Faster k-medoids clustering: improving the PAM,
    CLARA, and CLARANS algorithms. SISAP 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import fastpam2
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> result = fastpam2(abs(x[:, None] - x), [0, 1])
    >>> result.medoids.tolist(), result.loss, result.n_swap
    ([4, 1], 4.0, 1)
    """
    return _solve(
        "fastpam2", diss, medoids, max_iter, init, random_state, n_cpu,
        sample_weight=sample_weight, fixed_medoids=fixed_medoids, max_time=max_time,
        device=device, callback=callback,
    )  # fmt: skip


def pam(
    diss,
    medoids,
    max_iter=100,
    init="build",
    random_state=None,
    *,
    sample_weight=None,
    fixed_medoids=None,
    max_time=None,
    n_cpu=-1,
    device=None,
    callback=None,
):
    """Cluster objects around k of them with PAM.

    The greedy choice of :func:`pam_build`, then the best swap again and again: the
    classical algorithm, swap by swap, but computed as :func:`fastpam1` does, which
    finds the same swaps k times faster.

    Parameters
    ----------
    diss : array_like of shape (n, n) or (n (n - 1) / 2,)
        Dissimilarities, as for :func:`fasterpam`.
    medoids : int or array_like of shape (k,)
        How many medoids to choose, or the initial ones as indices.
    max_iter : int, default=100
        Passes, and so swaps, at most.
    init : {"random", "first", "build", "lab", "k-medoids++"}, default="build"
        Initial medoids if `medoids` is a number, as for :func:`fasterpam`.
    random_state : None, int, Generator or RandomState, default=None
        Seeds the random initial medoids.
    sample_weight : array_like of shape (n,), default=None
        Non-negative weights of the objects in the loss. An object of weight
        zero never becomes a medoid.
    fixed_medoids : array_like of int, default=None
        Objects that are medoids and stay so; they take the first slots.
    max_time : float, default=None
        Seconds after which to stop with what has been found.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result is the same
        for any number.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where `diss` lies.
    callback : callable, default=None
        Called after each pass with a dict of ``n_iter`` and ``loss``; if it
        returns True the search stops there.

    Returns
    -------
    result : KMedoidsResult

    Raises
    ------
    ValueError
        If an argument is not what is described here.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` passes or `max_time` seconds were not enough.

    Notes
    -----
    The initial medoids cost O(n² k), a pass O(n²), and each pass makes one swap.

    References
    ----------
    L. Kaufman, P. J. Rousseeuw. Finding groups in data: an introduction to cluster
    analysis. Wiley, 1990.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import pam
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> result = pam(abs(x[:, None] - x), [0, 1])
    >>> result.medoids.tolist(), result.loss, result.n_swap
    ([4, 1], 4.0, 1)
    """
    return _solve(
        "pam", diss, medoids, max_iter, init, random_state, n_cpu,
        sample_weight=sample_weight, fixed_medoids=fixed_medoids, max_time=max_time,
        device=device, callback=callback,
    )  # fmt: skip


def alternating(
    diss,
    medoids,
    max_iter=100,
    init="random",
    random_state=None,
    *,
    sample_weight=None,
    fixed_medoids=None,
    max_time=None,
    n_cpu=-1,
    device=None,
    callback=None,
):
    """Cluster objects around k of them by assigning and choosing in turns.

    The k-means way: each object goes to its nearest medoid, then the best object of
    each cluster becomes its medoid. Medoids never leave their clusters, so that the
    result is often several percent worse than that of :func:`fasterpam`, which is
    about as fast. Known as Voronoi iteration, too.

    Parameters
    ----------
    diss : array_like of shape (n, n) or (n (n - 1) / 2,)
        Dissimilarities, as for :func:`fasterpam`.
    medoids : int or array_like of shape (k,)
        How many medoids to choose, or the initial ones as indices.
    max_iter : int, default=100
        Rounds at most.
    init : {"random", "first", "build", "lab", "k-medoids++"}, default="random"
        Initial medoids if `medoids` is a number, as for :func:`fasterpam`.
    random_state : None, int, Generator or RandomState, default=None
        Seeds the random initial medoids.
    sample_weight : array_like of shape (n,), default=None
        Non-negative weights of the objects in the loss. An object of weight
        zero never becomes a medoid.
    fixed_medoids : array_like of int, default=None
        Objects that are medoids and stay so; they take the first slots.
    max_time : float, default=None
        Seconds after which to stop with what has been found.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow. The result is the same
        for any number.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where `diss` lies.
    callback : callable, default=None
        Called after each pass with a dict of ``n_iter`` and ``loss``; if it
        returns True the search stops there.

    Returns
    -------
    result : KMedoidsResult

    Raises
    ------
    ValueError
        If an argument is not what is described here.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` passes or `max_time` seconds were not enough.

    Notes
    -----
    A round costs O(n² / k) if the clusters are of one size, and O(n²) if not.

    References
    ----------
    H.-S. Park, C.-H. Jun. A simple and fast algorithm for K-medoids clustering.
    Expert Systems with Applications 36 (2009).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import alternating
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> result = alternating(abs(x[:, None] - x), [0, 1])
    >>> result.medoids.tolist(), result.loss, result.n_swap
    ([1, 4], 4.0, 3)
    """
    return _solve(
        "alternate", diss, medoids, max_iter, init, random_state, n_cpu,
        sample_weight=sample_weight, fixed_medoids=fixed_medoids, max_time=max_time,
        device=device, callback=callback,
    )  # fmt: skip


def pam_build(diss, k, *, sample_weight=None, n_cpu=-1, device=None):
    """Choose k medoids greedily: the initialisation of PAM.

    Parameters
    ----------
    diss : array_like of shape (n, n)
        Dissimilarities, as for :func:`fasterpam`.
    k : int
        How many medoids to choose.
    sample_weight : array_like of shape (n,), default=None
        Non-negative weights of the objects in the loss.
    n_cpu : int, default=-1
        Threads; -1 takes what Numba and joblib allow.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where `diss` lies.

    Returns
    -------
    result : KMedoidsResult
        ``n_iter`` and ``n_swap`` are zero.

    Raises
    ------
    ValueError
        If an argument is not what is described here.

    Notes
    -----
    Costs O(n² k). With FasterPAM after it, random initial medoids are as good
    and much faster.

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.cluster import pam_build
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> pam_build(abs(x[:, None] - x), 2).medoids.tolist()
    [2, 4]
    """
    k, costs = check_integer("k", k, 1), Dissimilarities(diss, device, n_cpu)
    task = Task.check(costs, k, sample_weight, name="k")
    return optimise(task, task.start("build", None), Run(max_iter=0))


def _solve(
    name, diss, medoids, max_iter, init, random_state, n_cpu=-1,
    *, sample_weight, fixed_medoids, max_time, device, callback, n_init=1, n_perturbations=0,
):  # fmt: skip
    """Do what the public functions have in common."""
    check_init(init)
    max_iter, rng = check_integer("max_iter", max_iter, 0), as_generator(random_state)
    check_integer("n_init", n_init, 1)
    check_integer("n_perturbations", n_perturbations, 0)
    run = Run(max_iter, deadline(max_time), callback)
    costs = Dissimilarities(diss, device, n_cpu)
    task = Task.check(costs, medoids, sample_weight, fixed_medoids)
    result, run = best_of_starts(task, name, init, rng, run, n_init, n_perturbations)
    if not result.converged and not run.called_off:
        warn_not_converged(_FUNCTIONS.get(name, name), max_iter, max_time, stacklevel=4)
    return result
