"""
Pixels that are kept, and pixels that are mixed
===============================================

Twenty numbers are nearly enough to tell a handwritten digit. By the singular value decomposition
each of them is a sum over the whole image, with weights of both signs. By CUR each is one pixel:
a device would have to measure these twenty, and none of the others.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import TruncatedSVD
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from lowrank_la.decomposition import CUR

X, y = load_digits(return_X_y=True)
X, new, y, labels = train_test_split(X, y, test_size=0.5, random_state=0)

# %%
# Both learn from one half of the images. On the other half, each has twenty numbers for an image,
# and makes all 64 pixels of them. Nothing beats the singular value decomposition at that; but it
# had to see all pixels first. For telling the digits, the pixels themselves are nearly as good.
# ("cpqr" finds a little better pixels than the default here.)
pixels = CUR(20, selection="cpqr", random_state=0).fit(X)
mixtures = TruncatedSVD(20, random_state=0).fit(X)
rebuilt = {}
for name, model in (("20 pixels", pixels), ("20 mixtures", mixtures)):
    few = model.transform(new)
    rebuilt[name] = model.inverse_transform(few)
    error = np.linalg.norm(new - rebuilt[name]) / np.linalg.norm(new)
    told = KNeighborsClassifier(3).fit(model.transform(X), y).score(few, labels)
    print(f"{name:<12}relative error {error:.2f}, {told:.1%} of the digits told")
print(f"{'64 pixels':<31}{KNeighborsClassifier(3).fit(X, y).score(new, labels):.1%}")

# %%
# The pixels, numbered as they were chosen, the most important one first, over the average of all
# images; and the weights of the first twelve mixtures, red where they are positive and blue where
# they are negative.
figure = plt.figure(figsize=(10, 4.4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1, 1.25])
axis = left.subplots()
axis.imshow(X.mean(axis=0).reshape(8, 8), cmap="gray_r", vmax=32)
for rank, pixel in enumerate(pixels.column_indices_, 1):
    row, column = divmod(pixel, 8)
    square = plt.Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fc="none", ec="#d55e00", lw=2)
    axis.add_patch(square)
    axis.text(column, row, str(rank), ha="center", va="center", color="#d55e00", weight="bold")
axis.set(xticks=[], yticks=[])
left.suptitle("CUR keeps 20 pixels")
for axis, weights in zip(right.subplots(3, 4).flat, mixtures.components_, strict=False):
    limit = abs(weights).max()
    axis.imshow(weights.reshape(8, 8), cmap="RdBu_r", vmin=-limit, vmax=limit)
    axis.set(xticks=[], yticks=[])
right.suptitle("SVD mixes all 64 of them, 20 times over")
plt.show()

# %%
# Images that neither has seen.
shown = [np.flatnonzero(labels == digit)[0] for digit in range(10)]
kept = np.full(new.shape, np.nan)
kept[:, pixels.column_indices_] = new[:, pixels.column_indices_]
rows = {
    "an image": new,
    "20 of its pixels": kept,
    "rebuilt from them": rebuilt["20 pixels"],
    "rebuilt from\n20 mixtures": rebuilt["20 mixtures"],
}
figure, axes = plt.subplots(4, 10, figsize=(10, 4.2), layout="constrained")
for line, (name, images) in zip(axes, rows.items(), strict=True):
    line[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
    for axis, image in zip(line, images[shown], strict=True):
        axis.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        axis.set(xticks=[], yticks=[], facecolor="#f6dfca")  # which shows through what is NaN
        axis.spines[:].set_visible(False)
plt.show()
