"""Matrix sensing: ours against the published methods, and low-rank regression against others.

Iterations are counted until the matrix itself is met, of which a solver knows nothing.
"""

from . import (
    _sensing_large,
    _sensing_noise,
    _sensing_outliers,
    _sensing_recovery,
    _sensing_regression,
)

PEERS = ("cvxpy", "tensorly")

SECTIONS = {
    **_sensing_recovery.SECTIONS,
    **_sensing_outliers.SECTIONS,
    **_sensing_large.SECTIONS,
    **_sensing_noise.SECTIONS,
    **_sensing_regression.SECTIONS,
}
