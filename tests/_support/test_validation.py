import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from lowrank_la._support import validation
from lowrank_la._support.validation import (
    all_or_nothing,
    as_floats,
    check_integer,
    check_weights,
    require_memory,
    warn_not_converged,
)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_floats_are_used_in_place(dtype):
    array = np.ones((2, 3), dtype)
    assert as_floats("X", array) is array
    swapped = as_floats("X", array.astype(array.dtype.newbyteorder(">")))
    assert swapped.dtype == np.dtype(dtype)
    assert swapped.dtype.isnative


@pytest.mark.parametrize("dtype", ["f2", "g", "i1", "u8", "?"])
def test_other_numbers_become_float64(dtype):
    converted = as_floats("X", np.array([0, 1, 1], dtype))
    assert converted.dtype == np.float64
    assert converted.tolist() == [0, 1, 1]


@pytest.mark.parametrize("array", [[1j], ["a"], [None], [object()], csr_array(np.eye(2))])
def test_what_is_not_real_numbers_is_named(array):
    with pytest.raises(ValueError, match="diss"):
        as_floats("diss", array)


def test_ragged_rows_are_named():
    with pytest.raises(ValueError, match="diss is not an array"):
        as_floats("diss", [[1.0], [1.0, 2.0]])


def test_integers():
    assert check_integer("k", np.int8(3), 3) == 3
    for value in (2, 3.0, "3", None, True, np.nan):
        with pytest.raises(ValueError, match=r"k=.*at least 3"):
            check_integer("k", value, 3)


def test_weights():
    assert check_weights(None, 3).tolist() == [1, 1, 1]
    weights = check_weights([0, 1, 2], 3)
    assert (weights.dtype, weights.tolist()) == (np.float64, [0, 1, 2])


BAD_WEIGHTS = [
    [1, 2],
    [[1, 2, 3]],
    1.0,
    [1, -1, 1],
    [0, 0, 0],
    [1, np.nan, 1],
    [1, np.inf, 1],
    ["a", "b", "c"],
    [1j, 1, 1],
]


@pytest.mark.parametrize("weights", BAD_WEIGHTS, ids=str)
def test_bad_weights_are_named(weights):
    with pytest.raises(ValueError, match="sample_weight"):
        check_weights(weights, 3)


def test_the_warning_says_what_to_change():
    with pytest.warns(ConvergenceWarning, match=r"solve .* max_iter=7.*increase max_iter"):
        warn_not_converged("solve", 7)


class Fitted:
    def __init__(self):
        self.parameter = 1

    @all_or_nothing
    def fit(self, X, fail=False):
        """Fit."""
        self.half_ = X
        if fail:
            raise ValueError("no")
        self.whole_ = X
        return self


def test_a_failed_fit_leaves_what_was_before():
    new, old = Fitted(), Fitted().fit(1)
    for estimator, before in ((new, {"parameter": 1}), (old, dict(vars(old)))):
        with pytest.raises(ValueError, match="no"):
            estimator.fit(2, fail=True)
        assert vars(estimator) == before
    assert Fitted.fit.__doc__ == "Fit."


def test_too_much_memory_is_refused(monkeypatch):
    monkeypatch.setattr(validation, "_physical_memory", lambda: 2 * 2**30)
    require_memory("a matrix", 2**30, "Do without.")
    with pytest.raises(MemoryError, match=r"a matrix would take 1\.5 GiB"):
        require_memory("a matrix", 1.5 * 2**30, "Do without.")


def test_the_machine_has_memory():
    assert validation._physical_memory() > 2**28
