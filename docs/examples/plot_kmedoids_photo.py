"""
A photo in eight of its own colours
===================================

A palette of means holds mixtures; a palette of medoids is made of the photo's own pixels, all of
which are searched here, without a matrix of distances: for 273,280 pixels it would take 300 GB.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_sample_image

from lowrank_la.cluster import KMedoids

photo = load_sample_image("flower.jpg")
pixels = photo.reshape(-1, 3).astype(np.float32)

# %%
# ``method="matrix_free"`` is FasterPAM, but compares a candidate only with the pixels that it could
# serve better than they are served, as boxes around groups of similar colours tell. The result is
# as good as with the matrix: no other pixel could take the place of a medoid and lower the loss.
# Both methods get three starts.
medoids = KMedoids(8, method="matrix_free", n_init=3, random_state=0).fit(pixels)
means = KMeans(8, n_init=3, random_state=0).fit(pixels)
palettes = {
    "k-medoids": medoids.cluster_centers_.astype(np.uint8),
    "k-means": means.cluster_centers_.round().astype(np.uint8),
}
labels = {"k-medoids": medoids.labels_, "k-means": means.labels_}

# %%
# Each minimises something else: k-medoids the distances, k-means their squares, in which the
# pixels that fit no cluster count most. And most of the means, rounded, are colours that no pixel
# has.
own = {tuple(colour) for colour in np.unique(photo.reshape(-1, 3), axis=0)}
exists = {name: [tuple(colour) in own for colour in palettes[name]] for name in palettes}
print(f"{'':<11}{'mean distance':>15}{'mean square':>13}{'colours of the photo':>22}")
for name, palette in palettes.items():
    distances = np.linalg.norm(pixels - palette[labels[name]], axis=1)
    print(
        f"{name:<11}{distances.mean():>15.2f}{np.mean(distances**2):>13.0f}"
        f"{sum(exists[name]):>17} of 8"
    )

# %%
# Under each picture its palette, each colour as wide as its share of the pixels. A dot marks those
# that exist in the photo.
figure, axes = plt.subplots(
    2, 3, figsize=(10, 2.75), height_ratios=[9, 1], layout="constrained", sharex="row"
)
axes[0, 0].imshow(photo)
axes[0, 0].set_title(f"{len(own):,} colours")
axes[1, 0].text(0.97, 0, "a dot: some pixel has this colour", ha="right", va="center")
for (picture, bar), (name, palette) in zip(axes.T[1:], palettes.items(), strict=True):
    picture.imshow(palette[labels[name]].reshape(photo.shape))
    picture.set_title(f"8, chosen by {name}")
    order = np.argsort(palette.sum(axis=1, dtype=int))
    shares = np.bincount(labels[name], minlength=8)[order] / len(pixels)
    ends = np.cumsum(shares)
    bar.barh(0, shares, 1, ends - shares, color=palette[order] / 255)
    dots = (ends - shares / 2)[np.array(exists[name])[order]]
    bar.plot(dots, np.zeros(len(dots)), "w.", ms=5)
    bar.set(xlim=(0, 1), ylim=(-0.5, 0.5))
for axis in axes.flat:
    axis.axis("off")
plt.show()
