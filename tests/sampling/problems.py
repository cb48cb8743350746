"""Every score of rows, and matrices to compare scores on."""

import numpy as np

from lowrank_la.sampling import (
    leverage_scores,
    lewis_weights,
    lp_sensitivities,
    root_leverage_scores,
)


def lewis(p):
    return lambda A, **options: lewis_weights(A, p, tol=1e-10, max_iter=500, **options).weights


SCORES = {  # of any rows, to at least six digits
    "leverage": leverage_scores,
    "stable leverage": lambda A, **options: leverage_scores(A, method="stable", rng=0, **options),
    "root leverage": root_leverage_scores,
    "Lewis, 0.5": lewis(0.5),
    "Lewis, 1": lewis(1),
    "Lewis, 3": lewis(3),
    "Lewis, 6": lewis(6),
    "sensitivity, 1": lp_sensitivities,
    "sensitivity, 1.5": lambda A, **options: lp_sensitivities(A, 1.5, **options),
    "sensitivity, 3": lambda A, **options: lp_sensitivities(A, 3, **options),
    "approximate sensitivity": lambda A, **options: lp_sensitivities(
        A, 1, method="approximate", rng=0, **options
    ),
}
RNG = np.random.default_rng(0)
A = RNG.standard_normal((40, 4))
SHAPES = {
    "tall": A,
    "more columns than rows": A[:3],
    "as many": A[:4],
    "one more row": A[:5],
    "one column": A[:, :1],
    "one row": A[:1],
    "one entry": A[:1, :1],
    "repeated columns": np.c_[A, A[:, :2]],
    "proportional columns": np.c_[A, 10 * A[:, 1:3]],
    "a zero column": np.c_[A, np.zeros(40)],
    "constant columns": np.c_[A, np.full(40, 0.1), np.full(40, 7.0)],
    "nothing but constants": np.ones((40, 2)),
    "nothing but zeros": 0 * A,
    "a zero row": np.r_[A, np.zeros((1, 4))],
    "dummies": np.c_[A, np.eye(3)[np.arange(40) % 3], np.ones(40)],
    "a rare level": np.c_[A, np.eye(2)[(np.arange(40) == 7) * 1]],
    "rows alike": np.tile(A[:1], (9, 1)),
}
