"""Recovery of matrices from measurements as the papers state it: one A_i after the other."""

import numpy as np
from scipy import optimize


def measure(A, X):
    """``<A_i, X>`` for each i."""
    return np.array([np.sum(A_i * X) for A_i in A])


def adjoint(A, z):
    """``sum_i z_i A_i``."""
    total = np.zeros(A[0].shape)
    for z_i, A_i in zip(z, A, strict=True):
        total += z_i * A_i
    return total


def damped_inverse(X, damping):
    return np.linalg.inv(X.T @ X + damping * np.eye(X.shape[1]))


def scaled_step(A, y, X, eta, damping):
    """ScaledGD(lambda), symmetric: Xu, Shen, Chi, Ma (2023), equation (5)."""
    G = adjoint(A, measure(A, X @ X.T) - y)
    G = (G + G.T) / 2
    return X - eta * G @ X @ damped_inverse(X, damping)


def scaled_step_pair(A, y, L, R, eta, damping):
    """Its form for matrices that are not symmetric: both factors move at once."""
    G = adjoint(A, measure(A, L @ R.T) - y)
    return (
        L - eta * G @ R @ damped_inverse(R, damping),
        R - eta * G.T @ L @ damped_inverse(L, damping),
    )


def gradient_step(A, y, X, eta):
    """Gradient descent on a quarter of the squares of the residuals."""
    G = adjoint(A, measure(A, X @ X.T) - y)
    return X - eta * (G + G.T) / 2 @ X


def gradient_step_pair(A, y, L, R, eta):
    """Gradient descent on half of the squares of the residuals."""
    G = adjoint(A, measure(A, L @ R.T) - y)
    return L - eta * G @ R, R - eta * G.T @ L


def subgradient_step(A, y, X, eta):
    """SubGM on half of the absolute residuals: Ma and Fattahi (2023), algorithm 1."""
    G = adjoint(A, np.sign(measure(A, X @ X.T) - y))
    return X - eta * (G + G.T) / 2 @ X


def subgradient_step_pair(A, y, L, R, eta):
    """Its form for matrices that are not symmetric, on the absolute residuals."""
    G = adjoint(A, np.sign(measure(A, L @ R.T) - y))
    return L - eta * G @ R, R - eta * G.T @ L


def polyak_size(A, y, L, R):
    """Absolute residuals over the squared norm of their subgradient."""
    z = measure(A, L @ R.T) - y
    G = adjoint(A, np.sign(z))
    return np.abs(z).sum() / (np.sum((G @ R) ** 2) + np.sum((G.T @ L) ** 2))


def nuclear_objective(A, y, X, alpha):
    """Half of the mean square, and alpha times the nuclear norm."""
    return np.mean((measure(A, X) - y) ** 2) / 2 + alpha * np.linalg.svd(X, compute_uv=False).sum()


def nuclear_optimum(A, y, alpha, n_iter=5000):
    """Accelerated proximal gradients: singular values are soft-thresholded."""
    flat = A.reshape(len(A), -1)
    step = len(y) / np.linalg.norm(flat, 2) ** 2
    X = before = np.zeros(A[0].shape)
    for t in range(n_iter):
        ahead = X + t / (t + 3) * (X - before)
        gradient = (flat.T @ (flat @ ahead.ravel() - y)).reshape(X.shape) / len(y)
        u, values, v = np.linalg.svd(ahead - step * gradient, full_matrices=False)
        before, X = X, u * np.maximum(values - step * alpha, 0) @ v
    return X


def least_absolute(A, y):
    """Least sum of absolute residuals over all matrices, as a linear program."""
    flat = A.reshape(len(A), -1)
    m, size = flat.shape
    costs = np.r_[np.zeros(size), np.ones(2 * m)]
    equations = np.hstack([flat, np.eye(m), -np.eye(m)])
    bounds = [(None, None)] * size + [(0, None)] * (2 * m)
    return optimize.linprog(costs, A_eq=equations, b_eq=y, bounds=bounds, method="highs").fun


def least_smooth(value_and_slope, size):
    """Least value of a smooth convex function."""
    return optimize.minimize(
        value_and_slope, np.zeros(size), jac=True, method="BFGS", options={"gtol": 1e-9}
    )
