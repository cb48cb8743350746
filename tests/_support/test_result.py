from dataclasses import FrozenInstanceError, fields, is_dataclass

import numpy as np
import pytest

from lowrank_la._support.result import Result
from tests.common.api import public_objects

RESULTS = [cls for _, cls in public_objects(type) if issubclass(cls, Result)]


def test_results_are_frozen():
    result = Result(n_iter=1, converged=True, history=np.zeros(1))
    with pytest.raises(FrozenInstanceError):
        result.n_iter = 2
    assert result != Result(n_iter=1, converged=True, history=np.zeros(1))


@pytest.mark.parametrize("cls", RESULTS)
def test_every_public_result_tells_how_it_came_about(cls):
    assert is_dataclass(cls)
    assert {"n_iter", "converged", "history"} <= {field.name for field in fields(cls)}
