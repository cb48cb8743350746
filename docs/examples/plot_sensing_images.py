"""
Regression on images
====================

900 images of 40 by 40 pixels, a number that goes with each, and the question: which pixels make
that number? A linear regression has 1,600 coefficients to find from fewer samples than that. But
they are an image themselves, and if it is made of a few rectangles, it is a matrix of low rank.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Lasso, RidgeCV

from lowrank_la.sensing import LowRankRegressor

rng = np.random.default_rng(0)
rectangle, cross = np.zeros((2, 40, 40))
rectangle[10:30, 13:28] = 1
cross[17:23, 5:35] = cross[5:35, 17:23] = 1
X = rng.normal(size=(900, 40 * 40))
noise = rng.normal(scale=3, size=900)

# %%
# The images are noise, and what is added to the numbers has a standard deviation of 3. Ridge
# regression spreads the coefficients over all pixels, the lasso picks single ones.
# ``LowRankRegressor`` chooses the rank by itself, by the Bayesian information criterion. Each of
# the others has the penalty that suits it.
models = {
    "RidgeCV": RidgeCV(np.geomspace(10, 10_000, 7)),
    "Lasso": Lasso(alpha=1, tol=1e-3),
    "LowRankRegressor": LowRankRegressor(random_state=0),
}
figure, axes = plt.subplots(2, 4, figsize=(10, 5.2), layout="constrained")
for row, picture in zip(axes, (rectangle, cross), strict=True):
    y = X @ picture.ravel() + noise
    row[0].imshow(picture, vmin=-1.5, vmax=1.5, cmap="RdBu_r")
    row[0].set_title("coefficients", fontsize="medium")
    for axis, (name, model) in zip(row[1:], models.items(), strict=True):
        found = model.fit(X, y).coef_.reshape(40, 40)
        error = np.linalg.norm(found - picture) / np.linalg.norm(picture)
        axis.imshow(found, vmin=-1.5, vmax=1.5, cmap="RdBu_r")
        axis.set_title(f"{name}: error {error:.3f}", fontsize="medium")
    print(f"rank {model.rank_}, criteria of ranks 0, 1, 2, ...: {model.bic_.round()}")
for axis in axes.flat:
    axis.set_axis_off()
plt.show()

# %%
# Now every fifth number is wrong, and the rank is told. Absolute residuals do not mind.
y = X @ cross.ravel() + noise
wrong = rng.random(900) < 0.2
y[wrong] += 10 * y.std() * rng.normal(size=wrong.sum())
figure, axes = plt.subplots(1, 2, figsize=(5.4, 2.9), layout="constrained")
for axis, loss in zip(axes, ("squared", "absolute"), strict=True):
    model = LowRankRegressor(rank=2, loss=loss, random_state=0).fit(X, y)
    error = np.linalg.norm(model.coef_ - cross) / np.linalg.norm(cross)
    print(f"loss={loss!r}: error {error:.3f}")
    axis.imshow(model.coef_, vmin=-1.5, vmax=1.5, cmap="RdBu_r")
    axis.set_title(f'loss="{loss}": error {error:.3f}', fontsize="medium")
    axis.set_axis_off()
plt.show()
