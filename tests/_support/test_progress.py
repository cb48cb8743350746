import pytest
from sklearn.base import BaseEstimator

from lowrank_la._support.progress import CallbackSupportMixin, Progress, with_callbacks


class Counter(CallbackSupportMixin, BaseEstimator):
    """Iterates five times, unless it is stopped."""

    def __init__(self, fail=False):
        self.fail = fail

    @with_callbacks
    def fit(self, X=None, y=None, verbose=0):
        with Progress(self, verbose) as progress:
            for self.n_iter_ in range(1, 6):
                if progress({"n_iter": self.n_iter_, "loss": 1 / self.n_iter_}):
                    break
                if self.fail:
                    raise ArithmeticError
        return self


@pytest.fixture
def recorder():
    pytest.importorskip("sklearn.callback", reason="scikit-learn has no callbacks before 1.9")

    class Recorder:
        stop_after, ends, metadata = None, 0, None

        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context, **kwargs):
            pass

        def on_fit_task_end(self, estimator, context, **kwargs):
            self.ends += 1
            self.metadata = kwargs.get("metadata") or self.metadata
            return self.ends == self.stop_after

        def teardown(self, estimator, context):
            self.torn_down = True

    return Recorder()


def test_silent_unless_asked(capsys):
    assert Counter().fit().n_iter_ == 5
    assert capsys.readouterr() == ("", "")


def test_a_bar_shows_iterations_and_the_loss(capsys):
    Counter().fit(verbose=1)
    shown = capsys.readouterr()
    assert "Counter" in shown.err
    assert "5 iterations" in shown.err
    assert "loss=0.2" in shown.err
    assert shown.out == ""


def test_callbacks_see_every_iteration(recorder):
    Counter().set_callbacks(recorder).fit()
    assert recorder.ends == 5 + 1
    assert recorder.torn_down


def test_a_callback_stops(recorder):
    recorder.stop_after = 2
    assert Counter().set_callbacks(recorder).fit().n_iter_ == 2


def test_an_error_passes_and_cleans_up(recorder, capsys):
    with pytest.raises(ArithmeticError):
        Counter(fail=True).set_callbacks(recorder).fit(verbose=1)
    assert recorder.torn_down
    assert capsys.readouterr().err.endswith("\n")
