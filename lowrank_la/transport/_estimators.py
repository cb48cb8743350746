"""Entropic optimal transport behind scikit-learn's estimator interface."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._support.cuda import is_device_array, resolve_device, to_host, twin
from .._support.progress import CallbackSupportMixin, Progress, with_callbacks
from .._support.validation import all_or_nothing, as_floats, validate_rows
from ._costs import METRICS, check_clouds
from ._maps import cost_unit, coupling, entropic_map, tabulated
from ._solve import solve_costs

_POSITIVE = Interval(Real, 0, None, closed="neither")


class SinkhornTransport(
    CallbackSupportMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator
):
    """Domain adaptation by entropic optimal transport.

    Moves the samples of a source domain onto those of a target domain, so that a model that is
    trained on the moved ones, with the labels that they have, fits the target domain, where there
    are no labels. The samples of each domain share a mass of 1 equally; the entropic plan between
    them is found, and each source sample becomes the average of the target samples that its mass
    goes to.

    Parameters
    ----------
    reg : float, default=0.2
        Strength of the entropic regularisation, in units of what `norm` tells. The smaller it is,
        the fewer target samples are averaged.
    metric : {"sqeuclidean", "euclidean", "cityblock"}, default="sqeuclidean"
        What it costs to move a sample.
    norm : {"centered", "median", None}, default="centered"
        Unit of `reg`. "centered" is the standard deviation of the costs after the means of their
        rows and columns have been subtracted: what is left is all that the plan depends on, so
        that neither the units of the features nor, with "sqeuclidean", a shift between the domains
        matters. "median" is the median cost, None the unit of the costs. Where there are many
        source samples, up to 63 spread evenly over them stand for all.
    method : {"auto", "sinkhorn"}, default="auto"
        As for :func:`solve`.
    tol : float, default=1e-8
        Marginal error of the plan that is small enough: the L1 distances of its row sums and of
        its column sums from the masses, added up.
    max_iter : int, default=10000
        Passes over the costs at most.
    device : {None, "cpu", "cuda"}, default=None
        Where to compute; None means where X lies.
    verbose : int, default=0
        Show a progress bar if not zero.

    Attributes
    ----------
    coupling_ : csr_array of shape (n_source, n_target)
        The plan, but for entries that add up to less than 1e-9 of any sample's mass. It is made,
        in one pass over the costs, each time that it is asked for.
    cost_ : float
        What moving the source to the target costs: the sum of the entries of the plan times their
        distances.
    value_ : float
        What was minimised: `cost_` + `reg_` KL(plan | product of the masses).
    potentials_ : tuple of arrays of shape (n_source,) and (n_target,)
        f and g, in units of the costs: the plan is
        ``exp((f[i] + g[j] - cost[i, j]) / reg_) / (n_source * n_target)``. The costs of
        "sqeuclidean" are between samples less the means of their domains, which change no plan.
    reg_ : float
        Strength of the regularisation, in units of the costs.
    X_source_ : array of shape (n_source, n_features)
        The samples that the plan moves: all of X if fit was told no domains.
    X_target_ : array of shape (n_target, n_features)
        The samples that it moves them to.
    n_iter_ : int
        Passes over the costs.
    converged_ : bool
        Whether `tol` was reached.
    history_ : ndarray of shape (n_iter,)
        Marginal error found by each pass.
    n_features_in_ : int
        Features seen in fit.
    feature_names_in_ : ndarray of str
        Their names, if X had any.

    See Also
    --------
    solve_sample : The solver: plans between points with any masses.

    Notes
    -----
    Domains are told by `sample_domain`, a number for each row of X: positive for the source,
    negative for the target, as in skada. Where metadata routing is enabled, ``fit`` and
    ``transform`` ask for it, so that pipelines and cross-validation pass it on, the right rows of
    it; elsewhere ``pipeline.fit(X, y, sinkhorntransport__sample_domain=...)`` does. What comes
    after in a pipeline sees the moved source samples and the target samples as they are; give
    these a `sample_weight` of zero where their labels must not be learned from; where scores are
    weighted by it, too, the model must request it for ``score``.

    ``transform`` treats rows that it is told nothing of as what they are most likely to be:

    - target samples, which stay as they are, if fit was told domains: these are what a model
      predicts for;
    - source samples, which are moved, after ``fit_domains``, and after ``fit(X)`` without
      domains, which finds the plan of X onto itself: its map smoothes X, the less, the
      smaller `reg` is.

    ``fit_transform`` is ``fit`` and then ``transform`` with the same arguments, always.

    The map needs no plan: a sample x, seen in fit or not, goes to the average of the target
    samples y[j] with the weights softmax((g[j] - cost(x, y[j])) / reg). For the samples of fit this
    is the barycentric projection of the plan [1]_, for others its extension [2]_.

    The distances are kept as a matrix if there are few, and made again whenever they are needed
    if there are more than 2**25: the memory is that of the samples and of the entries of the
    plan that matter.

    References
    ----------
    .. [1] N. Courty, R. Flamary, D. Tuia, A. Rakotomamonjy. Optimal transport for domain
       adaptation. IEEE Trans. Pattern Anal. Mach. Intell. 39(9), 2017.
    .. [2] A.-A. Pooladian, J. Niles-Weed. Entropic estimation of optimal transport maps.
       arXiv:2109.12004 (2021).

    Examples
    --------
    >>> import numpy as np
    >>> from lowrank_la.transport import SinkhornTransport
    >>> X = np.array([[0.0, 0], [0, 1], [1, 0], [5, 5], [5, 6], [6, 5]])
    >>> model = SinkhornTransport(0.05).fit(X, sample_domain=[1, 1, 1, -1, -1, -1])
    >>> model.transform(X[:3], sample_domain=[1, 1, 1]).round(3)
    array([[5., 5.],
           [5., 6.],
           [6., 5.]])
    >>> model.transform(X[3:])
    array([[5., 5.],
           [5., 6.],
           [6., 5.]])
    >>> round(model.cost_, 6)
    50.0
    """

    __metadata_request__fit = {"sample_domain": True}
    __metadata_request__transform = {"sample_domain": True}

    _parameter_constraints = {
        "reg": [_POSITIVE],
        "metric": [StrOptions(set(METRICS))],
        "norm": [StrOptions({"centered", "median"}), None],
        "method": [StrOptions({"auto", "sinkhorn"})],
        "tol": [_POSITIVE],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "device": [StrOptions({"cpu", "cuda"}), None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        reg=0.2,
        *,
        metric="sqeuclidean",
        norm="centered",
        method="auto",
        tol=1e-8,
        max_iter=10_000,
        device=None,
        verbose=0,
    ):
        self.reg = reg
        self.metric = metric
        self.norm = norm
        self.method = method
        self.tol = tol
        self.max_iter = max_iter
        self.device = device
        self.verbose = verbose

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y=None, *, sample_domain=None):
        """Find the plan between the domains of X.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Samples of both domains, at least two.
        y : array_like of shape (n_samples,), default=None
            Ignored: labels do not enter the plan. What looks like the samples of a target domain
            is refused: these are for ``fit_domains``.
        sample_domain : array_like of shape (n_samples,), default=None
            Positive numbers for samples of the source, negative ones for the target, at
            least one of each; None to transport X onto itself.

        Returns
        -------
        self : SinkhornTransport

        Raises
        ------
        ValueError
            If X, a parameter or the domains are not what is described here.

        Warns
        -----
        ConvergenceWarning
            If `tol` was not reached.
        """
        X = validate_rows(self, X, reset=True, ensure_min_samples=2)
        if sample_domain is None:
            _refuse_samples(y, X)
            source = target = X.copy()
        else:
            domains = _check_domains(sample_domain, len(X))
            sides = [np.flatnonzero(sign * domains > 0) for sign in (1, -1)]
            if not all(map(len, sides)):
                raise ValueError(
                    f"sample_domain has {len(sides[0])} positive and {len(sides[1])} negative "
                    "numbers: samples of the source and samples of the target are needed"
                )
            source, target = (X[rows].copy() for rows in sides)
        return self._fit(source, target, moves_all=sample_domain is None)

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit_domains(self, Xs, Xt, ys=None):
        """Find the plan between two domains: for use outside of pipelines, as in POT.

        Parameters
        ----------
        Xs : array_like of shape (n_source, n_features)
            Samples of the source.
        Xt : array_like of shape (n_target, n_features)
            Samples of the target.
        ys : None
            Ignored: labels do not enter the plan (in POT, neither, where those of the target
            are not known).

        Returns
        -------
        self : SinkhornTransport
            Its ``transform`` moves all rows unless it is told their domains.

        Raises
        ------
        ValueError
            If the samples or a parameter are not what is described here.

        Warns
        -----
        ConvergenceWarning
            If `tol` was not reached.
        """
        source = self._check_named("Xs", Xs, reset=True)
        target = self._check_named("Xt", Xt, reset=False)
        return self._fit(source.copy(), target.copy(), moves_all=True)

    def _check_named(self, name, X, *, reset):
        try:
            return validate_rows(self, X, reset=reset)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    def _fit(self, source, target, *, moves_all):
        """Solve, and take over the result."""
        centres = [self._centre(domain) for domain in (source, target)]
        costs = self._costs(source - centres[0], target - centres[1])
        as_given = check_clouds(to_host(source), to_host(target), self.metric)
        unit = cost_unit(costs if self.norm == "centered" else as_given, self.norm)
        reg = float(self.reg) * unit
        with Progress(self, self.verbose) as progress:
            result = solve_costs(
                costs, (source, target), None, None, reg=reg, method=self.method, tol=self.tol,
                max_iter=self.max_iter, device=self.device, callback=progress, stacklevel=7,
            )  # fmt: skip
        self.X_source_, self.X_target_, self._centres = source, target, centres
        self.potentials_, self.reg_ = result.potentials, reg
        between = float(((centres[0] - centres[1]) ** 2).sum())
        self.cost_, self.value_ = result.value_linear + between, result.value + between
        self.n_iter_, self.converged_ = result.n_iter, result.converged
        self.history_ = result.history
        self._moves_all = moves_all
        return self

    def transform(self, X, *, sample_domain=None):
        """Move samples of the source to the target; leave those of the target as they are.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Samples, seen in fit or not.
        sample_domain : array_like of shape (n_samples,), default=None
            Positive numbers for samples of the source, negative ones for the target. None
            means that all are of the target if fit was told domains, and of the source if not.

        Returns
        -------
        X_adapted : array of shape (n_samples, n_features)
            In the dtype of X.
        """
        check_is_fitted(self)
        X = validate_rows(self, X, reset=False)
        adapted = X.copy()
        if sample_domain is not None:
            rows = np.flatnonzero(_check_domains(sample_domain, len(X)) > 0)
            adapted[rows] = self._moved(X[rows], 0)
        elif self._moves_all:
            adapted[:] = self._moved(X, 0)
        return adapted

    def fit_transform(self, X, y=None, *, sample_domain=None):
        """Fit, and transform the same samples.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Samples of both domains, at least two.
        y : None
            Ignored.
        sample_domain : array_like of shape (n_samples,), default=None
            Positive numbers for samples of the source, negative ones for the target; None to
            transport X onto itself.

        Returns
        -------
        X_adapted : array of shape (n_samples, n_features)
            What ``fit(X, y, sample_domain=...).transform(X, sample_domain=...)`` returns.
        """
        fitted = self.fit(X, y, sample_domain=sample_domain)
        return fitted.transform(X, sample_domain=sample_domain)

    def inverse_transform(self, X):
        """Move samples of the target to the source.

        It is the map of the same plan read the other way, and not the inverse of ``transform``:
        both average.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Samples of the target, seen in fit or not.

        Returns
        -------
        X_original : array of shape (n_samples, n_features)
            In the dtype of X.
        """
        check_is_fitted(self)
        X = validate_rows(self, X, reset=False)
        original = X.copy()
        original[:] = self._moved(X, 1)
        return original

    def _centre(self, domain):
        """Return what is subtracted from a domain: shifts change no plan of squared distances."""
        return domain.mean(axis=0) if self.metric == "sqeuclidean" else 0 * domain[0]

    def _costs(self, points, onto):
        return tabulated(check_clouds(to_host(points), to_host(onto), self.metric))

    def _moved(self, points, side):
        """Images of points of one side under the map that the potential of the other defines."""
        if not len(points):
            return points
        onto, other = to_host((self.X_source_, self.X_target_)[1 - side]), 1 - side
        centres = [to_host(centre) for centre in self._centres]
        kernels = twin(__package__, resolve_device(self.device, points))
        cloud = check_clouds(to_host(points) - centres[side], onto - centres[other], self.metric)
        images = kernels.to_device(onto.astype(np.float64))
        potential = kernels.to_device(self.potentials_[other])
        moved = entropic_map(kernels, cloud, potential, self.reg_, images)
        return moved if is_device_array(points) else kernels.to_host(moved)

    @property
    def coupling_(self):
        """The plan, as a sparse array."""
        check_is_fitted(self)
        ends = self.X_source_ - self._centres[0], self.X_target_ - self._centres[1]
        return coupling(self._costs(*ends), self.potentials_, self.reg_, self.device, *ends)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _refuse_samples(y, X):
    """Refuse a target domain in the place of labels, where a user of POT may put it."""
    shape = getattr(y, "shape", ())
    if len(shape) == 2 and shape[1] == X.shape[1] > 1:
        raise ValueError(
            f"y has shape {shape}, as samples of a target domain have: for two domains call "
            "fit_domains(Xs, Xt), or give sample_domain"
        )


def _check_domains(sample_domain, n_samples):
    """Return numbers whose signs tell the domains of samples."""
    domains = to_host(as_floats("sample_domain", sample_domain))
    if domains.shape != (n_samples,):
        raise ValueError(f"sample_domain has shape {domains.shape}: ({n_samples},) is needed")
    if not (abs(domains) > 0).all():
        raise ValueError(
            "sample_domain must hold positive numbers, for the source, and negative ones, for the "
            "target, as 1 and -1; neither zero nor NaN"
        )
    return domains
