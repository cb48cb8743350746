"""
A photo with 70 % of its pixels missing
=======================================

The three channels of a photo, side by side, are nearly a matrix of low rank. So pixels that are
missing follow from those that are there; and pixels that are wrong stand out.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from lowrank_la.completion import LowRankImputer, complete

photo = load_sample_image("flower.jpg") / 255
rng = np.random.default_rng(0)
known = rng.random(photo.shape[:2]) < 0.3


def side_by_side(image):
    """Matrix of 427 rows and 3 times 640 columns."""
    return np.hstack(np.moveaxis(image, 2, 0))


def as_photo(matrix):
    """Picture from such a matrix."""
    return np.stack(np.hsplit(matrix.clip(0, 1), 3), axis=2)


def psnr(image):
    """Peak signal-to-noise ratio of the pixels that are missing, in dB: the higher, the better."""
    return -10 * np.log10(np.mean((image[~known] - photo[~known]) ** 2))


# %%
# Holes are NaN, as in any of scikit-learn's imputers. A picture wants many directions, and each of
# them small: a large ``rank``, and a ridge that shrinks all rows alike, whatever the number of
# their pixels (``ridge_exponent=0``). The simple way is a mean for each column of pixels.
holes = side_by_side(np.where(known[..., None], photo, np.nan))
imputer = LowRankImputer(40, alpha=3, ridge_exponent=0, random_state=0)
filled = as_photo(imputer.fit_transform(holes))
means = as_photo(np.where(np.isnan(holes), np.nanmean(holes, axis=0), holes))
print(f"means {psnr(means):.1f} dB, low rank {psnr(filled):.1f} dB")

# %%
# Now every fifth pixel has a colour at random, and nobody tells which. Least squares bow to all of
# them. ``loss="huber"`` counts what is far off by its size in the place of its square, so that it
# has little say. (Each gets the ``alpha`` that serves it best.) An imputer leaves observed entries
# as they are, wrong ones too: here all pixels shall come from the factors, which ``complete``
# returns.
wrong = rng.random(known.shape) < 0.2
spoiled = np.where(wrong[..., None], rng.random(photo.shape), photo)
rows, columns = np.nonzero(~np.isnan(holes))
values = side_by_side(spoiled)[rows, columns]
repaired = {}
for loss, alpha in {"squared": 20, "huber": 1}.items():
    result = complete(
        rows, columns, values, holes.shape, 20, loss=loss, alpha=alpha, ridge_exponent=0, rng=0
    )
    matrix = result.left @ result.right.T + result.row_bias[:, None] + result.column_bias
    repaired[loss] = as_photo(matrix + result.mean)
    print(f"loss={loss!r}: {psnr(repaired[loss]):.1f} dB")

# %%
# Black is what is missing.
shown = np.where(known[..., None], photo, 0), np.where(known[..., None], spoiled, 0)
images = {
    "30 % of the pixels": shown[0],
    f"filled in: {psnr(filled):.1f} dB": filled,
    "all of them": photo,
    "30 %, and one in five is wrong": shown[1],
    f'loss="squared": {psnr(repaired["squared"]):.1f} dB': repaired["squared"],
    f'loss="huber": {psnr(repaired["huber"]):.1f} dB': repaired["huber"],
}
figure, axes = plt.subplots(2, 3, figsize=(10, 5), layout="constrained")
for axis, (title, image) in zip(axes.flat, images.items(), strict=True):
    axis.imshow(image)
    axis.set_title(title, fontsize="medium")
    axis.axis("off")
plt.show()
