"""What a prediction costs: values, derivatives, and curvatures that majorise.

A loss is that of the measurements y with their weights. Robust ones tell the scale of the residuals
from their median; `adapt` does so, before each step.
"""

import numpy as np
from scipy.special import expit

_DEVIATION = 1.4826  # standard deviations of a normal law to its median deviation
_HUBER = 1.345  # standard deviations: 95 % as efficient as least squares for normal noise
_OUTLYING = 4.0  # medians
_ROUNDING = 1e-14
_LEAST = 1e-200  # by which residuals can be divided


def weighted_quantile(values, weights, share=0.5):
    """Return the least value up to which lies this share of the weights; the lower median."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return values[order[np.searchsorted(total, share * total[-1])]]


class Squared:
    """Half of the squares of the residuals."""

    quadratic = True

    def __init__(self, y, weights, constant=False):
        self.y, self.weights = y, weights
        self.start = self._best_constant() if constant else 0.0  # that alone predicts best
        self.size = self._size_of_values()

    def _size_of_values(self):
        """Size that residuals are compared with; that of y where a constant says all."""
        for values in (self.y - self.start, self.y):
            size = self._size(values)
            if size > _ROUNDING * abs(self.start):
                return size
        return np.abs(self.y).max() or 1.0

    def _best_constant(self):
        return np.average(self.y, weights=self.weights)

    def adapt(self, prediction):
        """Set what depends on the scale of the residuals."""

    def value(self, prediction):
        return 0.5 * self.weights @ (prediction - self.y) ** 2

    def derivatives(self, prediction):
        """Gradient, and curvature, for each measurement."""
        return self.weights * (prediction - self.y), self.weights

    def shift(self, prediction):
        """Constant by which predictions are too large, or nearly so."""
        z, curvatures = self.derivatives(prediction)
        return z.sum() / (curvatures.sum() or 1.0)

    def relative(self, prediction):
        """Size of the residuals, relative to that of y."""
        return self._size(prediction - self.y) / self.size

    def norm(self):
        """Norm of the values, weighted, but for outliers."""
        return self.size

    def smooth(self):
        """Return a loss whose gradients are residuals, but for outliers, to tell sizes."""
        return self

    def _size(self, residuals):
        return np.sqrt(self.weights @ residuals**2)


class _Robust(Squared):
    """Losses that tell a scale from the median residual."""

    quadratic = False

    def _best_constant(self):
        return weighted_quantile(self.y, self.weights)

    def norm(self):
        return _DEVIATION * self.size * self.weights.sum() ** 0.5

    def smooth(self):
        loss = Dropped(self.y, self.weights)
        loss.start = self.start
        return loss

    def _size(self, residuals):
        return weighted_quantile(np.abs(residuals), self.weights)

    def adapt(self, prediction):
        self.scale = self._size(prediction - self.y)


class Dropped(_Robust):
    """Squares of the residuals within four medians; those beyond do not count."""

    quadratic = True  # until the next look at who is kept

    def adapt(self, prediction):
        super().adapt(prediction)
        self._kept = self.weights * (np.abs(prediction - self.y) <= _OUTLYING * self.scale)

    def value(self, prediction):
        return 0.5 * self._kept @ (prediction - self.y) ** 2

    def derivatives(self, prediction):
        return self._kept * (prediction - self.y), self._kept


class Huber(_Robust):
    """Squares of the residuals up to 1.345 standard deviations, and lines beyond."""

    def adapt(self, prediction):
        super().adapt(prediction)
        self._threshold = max(_HUBER * _DEVIATION * self.scale, _LEAST)

    def value(self, prediction):
        sizes = np.abs(prediction - self.y)
        inside = np.minimum(sizes, self._threshold)
        return self.weights @ (inside * (sizes - 0.5 * inside))

    def derivatives(self, prediction):
        residuals = prediction - self.y
        weights = self.weights / np.maximum(np.abs(residuals) / self._threshold, 1.0)
        return weights * residuals, weights


class Absolute(Huber):
    """Absolute residuals, rounded off within a tenth of their median."""

    rounded = 0.1

    def adapt(self, prediction):
        super().adapt(prediction)
        self._threshold = max(self.rounded * self.scale, _LEAST)


class SharplyAbsolute(Absolute):
    """Absolute residuals, rounded off within a hundredth of their median."""

    rounded = 0.01


class Sign(_Robust):
    """Absolute residuals as they are, for subgradient steps."""

    def value(self, prediction):
        return self.weights @ np.abs(prediction - self.y)

    def derivatives(self, prediction):
        return self.weights * np.sign(prediction - self.y), self.weights

    def shift(self, prediction):
        return weighted_quantile(prediction - self.y, self.weights)


class Logistic(Squared):
    """Logarithmic loss of classes 0 and 1."""

    quadratic = False

    def _best_constant(self):
        share = np.average(self.y, weights=self.weights)
        share = np.clip(share, 0.01, 0.99)  # of what is held out, all may be of one class
        return np.log(share / (1 - share))

    def value(self, prediction):
        return self.weights @ (np.logaddexp(0, prediction) - self.y * prediction)

    def derivatives(self, prediction):
        share = expit(prediction)
        return self.weights * (share - self.y), 0.25 * self.weights

    def shift(self, prediction):
        share = expit(prediction)
        curvature = self.weights @ (share * (1 - share))
        newton = self.weights @ (share - self.y) / max(curvature, np.finfo(float).tiny)
        return np.clip(newton, -1.0, 1.0)  # within one, curvatures change but by a factor

    def relative(self, prediction):
        """Loss relative to that of even odds."""
        return self.value(prediction) / (self.weights.sum() * np.log(2))
