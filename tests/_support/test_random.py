import numpy as np
import pytest

from lowrank_la._support.random import as_generator


def draws(seed):
    return as_generator(seed).integers(0, 2**62, 4).tolist()


def test_equal_seeds_draw_equal_numbers():
    assert draws(3) == draws(np.int64(3)) == draws(np.random.default_rng(3))
    assert draws(3) == draws(np.random.SeedSequence(3)) == draws(np.random.PCG64(3))
    assert draws(3) != draws(4)
    assert draws(None) != draws(None)


def test_a_generator_is_used_itself():
    rng = np.random.default_rng(0)
    assert as_generator(rng) is rng
    assert draws(rng) != draws(rng)


def test_a_random_state_moves_on():
    state = np.random.RandomState(0)
    assert draws(state) != draws(state)
    assert draws(np.random.RandomState(0)) == draws(np.random.RandomState(0))


def test_the_global_state_is_used_only_if_passed():
    state = np.random.mtrand._rand._bit_generator
    before = str(state.state)
    draws(None), draws(0)
    assert str(state.state) == before
    draws(np.random)
    assert str(state.state) != before


@pytest.mark.parametrize("seed", ["zero", 1.5, -1, object(), [[1.5]]])
def test_what_is_no_seed_is_named(seed):
    with pytest.raises(ValueError, match="random_state"):
        as_generator(seed)
