"""
How many clusters?
==================

The loss falls with every further medoid and cannot say how many there should be. The silhouette
can: it is high where each object is much closer to its own medoid than to the second nearest.
``DynMSC`` maximises it for every number of medoids in one run.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, make_blobs

from lowrank_la.cluster import DynMSC, KMedoids

# %%
# First seven clusters of different sizes and widths, of which ``DynMSC`` knows nothing. It begins
# with fifteen medoids and goes down to two.
points, _ = make_blobs(
    [500, 300, 200, 200, 100, 100, 60],
    centers=[(0, 0), (6, 1), (2.5, 5), (-4, 4), (8.5, 5.5), (-4.5, -2.5), (4, -4)],
    cluster_std=[1.0, 0.8, 0.7, 0.7, 0.5, 0.5, 0.4],
    random_state=0,
)
blobs = DynMSC(15, random_state=0).fit(points)
print(blobs.n_clusters_, "clusters of", np.bincount(blobs.labels_), "points")

# %%
# A medoid silhouette gains by distance from the other clusters, so that some of the medoids are on
# the outer side of theirs. A short search for the least distances, from there, ends in the middle.
middle = KMedoids(blobs.n_clusters_, init=blobs.medoid_indices_).fit(points)

# %%
# Then the digits, 64 pixels each, by city-block distance.
X, y = load_digits(return_X_y=True)
digits = DynMSC(20, metric="cityblock", random_state=0).fit(X)
print("digits of the", digits.n_clusters_, "medoids:", np.sort(y[digits.medoid_indices_]))

# %%
# A sharp peak is an answer. The digits have a flat top instead: there, ten and eleven are as good
# as each other, another seed may choose the other, and what the clusters are for should decide.
figure = plt.figure(figsize=(9, 6.2), layout="constrained")
(top_left, top_right), (bottom_left, bottom_right) = figure.subfigures(2, 2)

scatter = top_left.subplots()
scatter.scatter(*points.T, c=blobs.labels_, s=6, cmap="tab10", vmax=9)
scatter.plot(*blobs.cluster_centers_.T, "kx", ms=8, mew=2, label="DynMSC")
style = {"ms": 8, "mfc": "white", "mec": "black", "mew": 1.5}
scatter.plot(*middle.cluster_centers_.T, "o", **style, label="KMedoids from there")
scatter.set(xticks=[], yticks=[], ylim=(-8, None), aspect="equal")
scatter.set_title(f"the {blobs.n_clusters_} clusters of the points")
scatter.legend(loc="lower center", ncols=2, columnspacing=1, handletextpad=0.3)

images = bottom_left.subplots(2, -(-digits.n_clusters_ // 2))
order = np.argsort(y[digits.medoid_indices_], kind="stable")
for axis, i in zip(images.flat, order, strict=False):
    axis.imshow(digits.cluster_centers_[i].reshape(8, 8), cmap="gray_r")
for axis in images.flat:
    axis.axis("off")
bottom_left.suptitle(f"the {digits.n_clusters_} medoids of the digits")

for side, model, name in ((top_right, blobs, "points"), (bottom_right, digits, "digits")):
    curve, best = side.subplots(), (model.n_clusters_, model.silhouettes_.max())
    curve.axvline(best[0], color="0.85", zorder=0)
    curve.plot(model.k_values_, model.silhouettes_, "o-", ms=4)
    curve.plot(*best, "o", color="C3", label=f"the best: {best[0]} medoids")
    curve.set(xlabel="medoids", ylabel="average medoid silhouette")
    curve.set(title=f"the silhouette of the {name}", xticks=range(2, model.k_values_[-1] + 1, 2))
    curve.legend(loc="lower right")
    curve.spines[["top", "right"]].set_visible(False)
plt.show()
