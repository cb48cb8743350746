"""Show the progress of a fit: scikit-learn's callbacks where they exist, and tqdm."""

from tqdm.auto import tqdm

try:  # scikit-learn 1.9 and later
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:
        """Stands in where scikit-learn has no callbacks."""

    def with_callbacks(method):
        """Return the method as it is."""
        return method


class Progress:
    """The callback that an estimator hands to its solver.

    Parameters
    ----------
    estimator : BaseEstimator
        Its ``fit`` is decorated with `with_callbacks`.
    verbose : int
        Show a progress bar if it is not zero.

    Notes
    -----
    A call with a dict, after an iteration, returns True if a callback of the
    user asks to stop.
    """

    def __init__(self, estimator, verbose):
        self.estimator = estimator
        self.bar = tqdm(desc=type(estimator).__name__, unit=" iterations", disable=not verbose)
        self.context, self.stopped = None, False
        if hasattr(estimator, "_skl_callbacks"):
            self.context = estimator._init_callback_context(max_subtasks=None)

    def __enter__(self):
        if self.context:
            self.context.call_on_fit_task_begin(estimator=self.estimator)
        return self

    def __call__(self, info):
        self.bar.set_postfix(info, refresh=False)
        self.bar.update()
        if not self.context:
            return False
        task = self.context.subcontext(task_name="iteration")
        task.call_on_fit_task_begin(estimator=self.estimator)
        stop = task.call_on_fit_task_end(estimator=self.estimator, metadata=info)
        self.stopped = self.stopped or bool(stop)
        return self.stopped

    def __exit__(self, *error):
        self.bar.close()
        if self.context and error[0] is None:
            self.context.call_on_fit_task_end(estimator=self.estimator)
