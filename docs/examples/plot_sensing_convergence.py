"""
Whatever the condition number
=============================

A matrix of 30 rows and columns and rank 3 is measured 900 times, and its rank is not known for
sure. Gradient descent in the factors needs as many steps as the matrix is ill-conditioned. ScaledGD
does not, but with a constant damping it stalls where the factors have more columns than the rank.
What does it take to mend this? And what, if three measurements in ten are wrong?
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from lowrank_la.sensing import MatrixMeasurements, gradient_descent, scaled_gd, subgradient

n, true_rank, m = 30, 3, 900
rng = np.random.default_rng(0)
normal = rng.normal(size=(m, n, n))
A = MatrixMeasurements(normal + normal.transpose(0, 2, 1))
Q, _ = np.linalg.qr(rng.normal(size=(n, true_rank)))
cases = [(kappa, rank) for kappa in (1, 100) for rank in (true_rank, 2 * true_rank)]


def positive(kappa):
    """Positive semidefinite matrix of this condition number."""
    return Q * np.linspace(1, 1 / kappa, true_rank) @ Q.T


def draw(axis, title, M, results):
    """Plot residuals over iterations, and print where they ended."""
    print(title)
    colours = ("C7", "C0", "C3") if len(results) == 3 else ("C7", "C3")
    for (label, result), colour in zip(results.items(), colours, strict=True):
        axis.semilogy(np.arange(1, result.n_iter + 1), result.history, color=colour, label=label)
        error = np.linalg.norm(result.matrix - M) / np.linalg.norm(M)
        print(f"    {label:<28}{result.n_iter:>5} iterations, relative error {error:.0e}")
    axis.set_title(title, fontsize="medium")
    axis.set_ylim(3e-11, 3)
    axis.spines[["top", "right"]].set_visible(False)


# %%
# ``scaled_gd`` has the published method among its options: steps of one size, and a constant
# damping of the order of the least singular value, which one has to know. Its defaults know nothing
# of the matrix: the damping falls with the residual, directions are conjugate, and steps are exact.
# Where 400 iterations are too few there is a warning, which is not shown here.
warnings.simplefilter("ignore", ConvergenceWarning)
figure, axes = plt.subplots(2, 2, figsize=(9, 6.4), sharex=True, sharey=True, layout="constrained")
for axis, (kappa, rank) in zip(axes.flat, cases, strict=True):
    M = positive(kappa)
    y = A @ M.ravel()
    options = {"symmetric": True, "max_iter": 400, "rng": 0}
    published = {"damping": "constant", "damping_size": 1 / (20 * kappa), "step_size": 0.3}
    results = {
        "gradient_descent": gradient_descent(A, y, rank, **options),
        "scaled_gd, as published": scaled_gd(A, y, rank, **options, **published),
        "scaled_gd": scaled_gd(A, y, rank, **options),
    }
    draw(axis, f"condition number {kappa}, {rank} columns", M, results)
axes[0, 0].legend(frameon=False)
figure.supxlabel("iterations", fontsize="medium")
figure.supylabel("relative residual", fontsize="medium")
plt.show()

# %%
# Now 30 % of the measurements get an error of ten standard deviations, and nobody tells which.
# Subgradient descent of the absolute residuals withstands that if its steps shrink at the pace that
# suits the matrix: 0.985 suits the first of these two, but not the second.
# ``loss="absolute"`` of ``scaled_gd`` leaves out what is far too large, and finds both exactly.
wrong = rng.random(m) < 0.3
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
for axis, (kappa, rank) in zip(axes, (cases[0], cases[-1]), strict=True):
    M = positive(kappa)
    y = A @ M.ravel()
    y = y + 10 * y.std() * wrong * rng.normal(size=m)
    options = {"symmetric": True, "rng": 0}
    results = {
        "subgradient, decay=0.985": subgradient(A, y, rank, decay=0.985, max_iter=1500, **options),
        'scaled_gd, loss="absolute"': scaled_gd(A, y, rank, loss="absolute", **options),
    }
    draw(axis, f"30 % wrong, condition number {kappa}, {rank} columns", M, results)
axes[1].legend(frameon=False)
figure.supxlabel("iterations", fontsize="medium")
figure.supylabel("median residual, relative", fontsize="medium")
plt.show()
