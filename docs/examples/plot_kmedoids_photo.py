"""
A photo in sixteen of its own colours
=====================================

A palette of means holds colours that occur nowhere in the photo. A palette of medoids is made of
its pixels. Sixteen colours are chosen on a sample of the pixels; ``predict`` paints the rest.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from lowrank_la.cluster import KMedoids

photo = load_sample_image("flower.jpg")
pixels = photo.reshape(-1, 3).astype(np.float32)
sample = np.random.default_rng(0).choice(len(pixels), 4000, replace=False)

# %%
# The city-block distance adds up the differences of red, green and blue.
model = KMedoids(n_clusters=16, metric="cityblock", n_init=5, random_state=0).fit(pixels[sample])
labels = model.predict(pixels)
print(f"{-model.score(pixels) / len(pixels):.1f} of 765 levels of difference per pixel")

# %%
# The palette is drawn as wide as each colour's share of the photo.
palette = model.cluster_centers_.astype(np.uint8)
order = np.argsort(palette.sum(axis=1))
shares = np.bincount(labels, minlength=16)[order] / len(labels)

figure, axes = plt.subplot_mosaic(
    [["photo", "painted"], ["palette", "palette"]],
    figsize=(9, 3.9),
    height_ratios=[8, 1],
    layout="constrained",
)
axes["photo"].imshow(photo)
axes["photo"].set_title(f"{len(np.unique(pixels, axis=0)):,} colours")
axes["painted"].imshow(palette[labels].reshape(photo.shape))
axes["painted"].set_title("16 of them")
axes["palette"].barh(
    0, shares, left=np.cumsum(shares) - shares, color=palette[order] / 255, height=1
)
axes["palette"].set(xlim=(0, 1), ylim=(-0.5, 0.5))
for ax in axes.values():
    ax.axis("off")
plt.show()
