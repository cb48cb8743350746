"""Matrix sensing: ours against the published methods, and low-rank regression against others.

Iterations are counted until the matrix itself is met, of which a solver knows nothing.
"""

from . import (
    _sensing_outliers,
    _sensing_recovery,
)

PEERS = ("cvxpy", "tensorly")

SECTIONS = {
    **_sensing_recovery.SECTIONS,
    **_sensing_outliers.SECTIONS,
}
