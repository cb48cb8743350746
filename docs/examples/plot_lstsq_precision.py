"""
Where least squares lose their digits
=====================================

Polynomials of higher and higher degree are fitted to fifty thousand measurements. The powers of a
variable become more and more alike, the condition number of the matrix grows some sixfold with
each, and solvers part ways: some lose digits to rounding, others drop what they take for rounding,
and with it a part of the fit. Nothing warns of either.
"""

import matplotlib.pyplot as plt
import numpy as np
from numpy.polynomial.legendre import legvander
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import PolynomialFeatures

from lowrank_la.linear_model import SketchedLinearRegression, lstsq

# %%
# A tone that rises, with noise of one per cent.
t = np.linspace(0, 1, 50_000)
noise = 0.01
b = np.sin(12 * t**2) + noise * np.random.default_rng(0).normal(size=len(t))

# %%
# Four ways to the fitted values. Legendre's polynomials span the same space as the powers do, and
# are nearly orthogonal: from them the best fit can be told to the last digits.
solvers = {
    "normal equations": lambda A: A @ np.linalg.solve(A.T @ A, A.T @ b),
    "scikit-learn's LinearRegression": lambda A: (
        LinearRegression(fit_intercept=False).fit(A, b).predict(A)
    ),
    "NumPy's lstsq": lambda A: A @ np.linalg.lstsq(A, b)[0],
    "lowrank_la's lstsq": lambda A: A @ lstsq(A, b, rng=0).x,
}


def rms(values):
    """Root of the mean square."""
    return np.sqrt(np.mean(values**2))


# %%
# How far each is from the best fit.
degrees = range(2, 20)
conditions, errors, fits = [], {name: [] for name in solvers}, {}
print(f"{'degree':>6}{'condition':>11}{'method':>11}{'passes':>8}{'backward error':>16}")
for degree in degrees:
    A = np.vander(t, degree + 1, increasing=True)
    L = legvander(2 * t - 1, degree)
    best = L @ np.linalg.lstsq(L, b)[0]
    for name, fitted in solvers.items():
        fits[degree, name] = fitted(A)
        errors[name].append(rms(fits[degree, name] - best))
    result = lstsq(A, b, rng=0)
    conditions.append(result.condition_number)
    print(
        f"{degree:>6}{result.condition_number:>11.0e}{result.method:>11}{result.n_passes:>8}"
        f"{result.backward_error:>16.0e}"
    )

# %%
# Left: rounding alone takes a digit for each digit of the condition number. The normal equations
# lose two, as they square it. NumPy takes singular values for zero below the number of rows times
# the unit of rounding, scikit-learn (from version 1.9 on) below a millionth of the largest one: the
# error jumps where the fit needs them. Right: what that can mean. The best polynomial is not to be
# told from the tone; the one that scikit-learn stops at is off by several times the noise.
styles = {
    "normal equations": ("s", "#999999"),
    "scikit-learn's LinearRegression": ("^", "#e69f00"),
    "NumPy's lstsq": ("D", "#d55e00"),
    "lowrank_la's lstsq": ("o", "#0072b2"),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for name, (marker, colour) in styles.items():
    left.loglog(conditions, errors[name], marker=marker, ms=4, color=colour, label=name)
left.axhline(noise, color="0.7", ls=":", zorder=0)
left.annotate("noise of the data", (conditions[0], noise), (0, 3), textcoords="offset points")
left.set(xlabel="condition number of the matrix", ylabel="distance from the best fit (rms)")
left.legend(frameon=False, loc="lower right", fontsize="small")

shown, tail = 16, slice(0, None, 25)
tone = np.sin(12 * t**2)
right.axhspan(-noise, noise, color="0.92", label="noise, one standard deviation")
for name, (_, colour) in styles.items():
    misfit = fits[shown, name] - tone
    right.plot(t[tail], misfit[tail], color=colour, label=name, lw=1.2)
right.set(xlabel="t", ylabel="fitted less true tone", title=f"polynomials of degree {shown}")
right.legend(*[names[:1] for names in right.get_legend_handles_labels()], frameon=False)
for axis in (left, right):
    axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Real data: the progress of 442 patients' diabetes, in the units of the record (years, pressures,
# concentrations), with all products of two features. One of the columns is superfluous, the square
# of a feature that has two values; scikit-learn drops three more, and the fit is worse.
X, y = load_diabetes(return_X_y=True, scaled=False)
P = PolynomialFeatures(2, include_bias=False).fit_transform(X)
print(f"{P.shape[1]} columns")
for model in (LinearRegression(), SketchedLinearRegression(random_state=0)):
    model.fit(P, y)
    print(
        f"{type(model).__name__:<26} rank {model.rank_}, "
        f"norm of the residuals {np.linalg.norm(y - model.predict(P)):.2f}"
    )
