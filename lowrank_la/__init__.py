"""Low-rank and sketching solvers for data too big or too gappy for the textbook method."""

from ._support.lazy import attach

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "cluster": "cluster",
        "completion": "completion",
        "decomposition": "decomposition",
        "embedding": "embedding",
        "linear_model": "linear_model",
        "sampling": "sampling",
        "sensing": "sensing",
        "sketch": "sketch",
        "transport": "transport",
    },
)
