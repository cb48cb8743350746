"""Random numbers: one generator per call, from any of NumPy's seeds."""

import numpy as np


def as_generator(seed=None, name="random_state"):
    """Turn any of NumPy's seeds into a :class:`numpy.random.Generator`.

    Parameters
    ----------
    seed : None, int, SeedSequence, BitGenerator, Generator or RandomState
        A ``RandomState`` lends its own bit generator, so that its stream moves on.
    name : str, default="random_state"
        What the user calls it, for errors.

    Returns
    -------
    rng : numpy.random.Generator

    Raises
    ------
    ValueError
        If `seed` is none of these.
    """
    if seed is np.random:
        return np.random.Generator(np.random.mtrand._rand._bit_generator)
    if isinstance(seed, np.random.RandomState):
        return np.random.Generator(seed._bit_generator)
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name}={seed!r} cannot seed a generator; use None, a non-negative integer, "
            "a numpy.random.Generator or a numpy.random.RandomState"
        ) from error
