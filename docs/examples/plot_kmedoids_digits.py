"""
Digits that stand for digits
============================

The centre of a cluster in k-means is an average: of handwritten digits, a blur that nobody wrote.
A medoid is one of the images themselves.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from lowrank_la.cluster import KMedoids

X, y = load_digits(return_X_y=True)

# %%
# Twenty clusters, ten starts on one distance matrix. The Euclidean distances themselves are
# added up, not their squares, so that a few odd images count for less.
medoids = KMedoids(n_clusters=20, n_init=10, random_state=0).fit(X)
means = KMeans(n_clusters=20, n_init=10, random_state=0).fit(X)
print(f"loss {medoids.inertia_:.0f} after {medoids.n_iter_} passes")

# %%
# Every medoid has a row number, hence a label. Calling all images of a cluster by the label of
# their medoid asks an expert for 20 labels instead of 1797.
named = y[medoids.medoid_indices_][medoids.labels_]
print(f"{np.mean(named == y):.0%} of the images are named correctly by {medoids.n_clusters} labels")

# %%
# Each medoid with its label, and under it the mean that is nearest to it.
order = np.argsort(y[medoids.medoid_indices_], kind="stable")
nearest_mean = means.transform(medoids.cluster_centers_[order]).argmin(axis=1)
figure, axes = plt.subplots(4, 10, figsize=(8, 3.8), layout="constrained")
for column, start in enumerate((0, 10)):
    rows = axes[2 * column], axes[2 * column + 1]
    for i in range(10):
        medoid, mean = order[start + i], nearest_mean[start + i]
        rows[0][i].imshow(medoids.cluster_centers_[medoid].reshape(8, 8), cmap="gray_r")
        rows[1][i].imshow(means.cluster_centers_[mean].reshape(8, 8), cmap="gray_r")
        rows[0][i].set_title(str(y[medoids.medoid_indices_[medoid]]), fontsize=9)
    rows[0][0].set_ylabel("medoid")
    rows[1][0].set_ylabel("mean")
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
plt.show()
