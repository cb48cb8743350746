"""
Two photographs exchange their colours
======================================

The colours of a photograph are a cloud of points: one for each pixel, in the space of red, green
and blue. Optimal transport moves one cloud onto another with as little change as possible, so that
what was bright stays bright. A thousand pixels of each photograph are enough to find the map; it is
then asked for all pixels.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images

from lowrank_la.transport import SinkhornTransport

# %%
# Two photographs that come with scikit-learn; or, where there is the folder of data that the tests
# use, the sea by day and at sunset.
folder = Path(os.environ.get("LOWRANK_LA_DATA", ""), "images", "colour_transfer")
photos = load_sample_images().images
if folder.is_dir():
    photos = [plt.imread(folder / f"ocean_{time}.jpg") for time in ("day", "sunset")]

# %%
# Each colour needs to be moved only once.
palettes, places = zip(
    *(np.unique(photo.reshape(-1, 3), axis=0, return_inverse=True) for photo in photos),
    strict=True,
)
palettes = [palette / 255 for palette in palettes]

# %%
# The plan between the samples. With a small ``reg`` single colours are copied, noise included, and
# edges appear where colours that were alike part; with a large one all of them become averages, and
# duller. What is small does not depend on the photographs: its unit is the spread of the costs.
rng = np.random.default_rng(0)
samples = [
    palette[rng.choice(place.ravel(), 1000, replace=False)]
    for palette, place in zip(palettes, places, strict=True)
]
model = SinkhornTransport(reg=0.1).fit_domains(*samples)
distance = np.sqrt(model.cost_)
print(f"{model.n_iter_} passes; colours move by {distance:.2f} (root mean square, of 1)")

# %%
# The map goes both ways, and to colours that were not in the samples.
moved = [model.transform(palettes[0]), model.inverse_transform(palettes[1])]

# %%
# Left: the photographs. Middle: each in the colours of the other. Right: colours that were sampled,
# by their red and their blue, each with a line from where it was to where it goes.
figure, axes = plt.subplots(2, 3, figsize=(10, 4.6), width_ratios=[3, 3, 2], layout="compressed")
maps = model.transform, model.inverse_transform
for (left, middle, right), photo, palette, place, sample, to in zip(
    axes, photos, moved, places, samples, maps, strict=True
):
    left.imshow(photo)
    middle.imshow(palette[place.ravel()].reshape(photo.shape).clip(0, 1))
    before = sample[:300]
    after = to(before).clip(0, 1)
    for start, end in zip(before, after, strict=True):
        right.plot(*np.transpose([start, end])[[0, 2]], color=end, lw=0.4, alpha=0.5)
    right.scatter(before[:, 0], before[:, 2], c=before, s=9, ec="0.5", lw=0.2, zorder=2)
    right.scatter(after[:, 0], after[:, 2], c=after, s=9, ec="0.5", lw=0.2, zorder=2)
    right.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", xticks=[], yticks=[])
    right.set_xlabel("red", labelpad=1)
    right.set_ylabel("blue", labelpad=1)
    right.spines[["top", "right"]].set_visible(False)
axes[0, 0].set_title("the photographs")
axes[0, 1].set_title("in each other's colours")
axes[0, 2].set_title("how colours move")
for axis in axes[:, :2].flat:
    axis.axis("off")
plt.show()
