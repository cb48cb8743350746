"""
Missing values before a classifier
==================================

Thirty measurements of tumours, of which most are lost. Four ways to fill them in, in the same place
of a pipeline, judged by the classifier that comes after, and by the values that they should have
found.
"""

import warnings
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import PercentFormatter
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lowrank_la.completion import LowRankImputer

X, y = load_breast_cancer(return_X_y=True)

# %%
# Areas are in the hundreds, and smoothness in hundredths: what is large would count most. So a
# scaler comes first; it leaves NaN alone. ``alpha`` is lower than its default here, as all columns
# have hundreds of entries. ``IterativeImputer`` gets three rounds, not ten, so as not to keep you
# waiting, and warns of that.
imputers = {
    "SimpleImputer": SimpleImputer(),
    "KNNImputer": KNNImputer(),
    "IterativeImputer": IterativeImputer(max_iter=3, random_state=0),
    "LowRankImputer": LowRankImputer(10, alpha=0.5, random_state=0),
}
warnings.simplefilter("ignore", ConvergenceWarning)


def accuracy_of(*steps, X):
    """Share of the tumours that are told right, each by what was learnt from others."""
    model = make_pipeline(StandardScaler(), *steps, LogisticRegression(max_iter=500))
    return cross_val_score(model, X, y, cv=3).mean()


shares = [0.1, 0.3, 0.5, 0.7, 0.8]
accuracy, error, seconds = (np.zeros((len(imputers), len(shares))) for _ in range(3))
order = np.random.default_rng(0).random(X.shape)
for j, share in enumerate(shares):
    holes = np.where(order < share, np.nan, X)
    scaler = StandardScaler().fit(holes)
    for i, imputer in enumerate(imputers.values()):
        accuracy[i, j] = accuracy_of(imputer, X=holes)
        start = perf_counter()
        filled = imputer.fit_transform(scaler.transform(holes))
        seconds[i, j] = perf_counter() - start
        gaps = (filled - scaler.transform(X))[np.isnan(holes)]
        error[i, j] = np.sqrt(np.mean(gaps**2))

# %%
# The last column is the time to fill in once, on average.
print(f"{'share missing':<18}" + "".join(f"{share:>7.0%}" for share in shares) + f"{'s':>8}")
for i, name in enumerate(imputers):
    told = "".join(f"{value:>7.1%}" for value in accuracy[i])
    print(f"{name:<18}{told}{seconds[i].mean():>8.2f}")

# %%
# With few values missing, all do. With many of them, nearest neighbours are near by chance,
# regressions on columns that are themselves filled in repeat their errors, and means say nothing.
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
axes[0].axhline(accuracy_of(X=X), color="0.8", label="nothing missing")
for i, name in enumerate(imputers):
    style = {"lw": 2.5, "color": "C3"} if name == "LowRankImputer" else {"lw": 1.2}
    axes[0].plot(shares, accuracy[i], "o-", label=name, **style)
    axes[1].plot(shares, error[i], "o-", **style)
axes[0].set(title="accuracy of the classifier", xlabel="share of values missing")
axes[1].set(title="error of what is filled in, in deviations", xlabel="share of values missing")
axes[1].set_ylim(0)
axes[0].legend(frameon=False)
axes[0].yaxis.set_major_formatter(PercentFormatter(1, 0))
for axis in axes:
    axis.xaxis.set_major_formatter(PercentFormatter(1, 0))
    axis.spines[["top", "right"]].set_visible(False)
plt.show()
