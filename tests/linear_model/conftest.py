"""Real data that several files use."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def housing(data_dir):
    """All monomials of degree three of the numeric columns, and the districts' categories."""
    pandas = pytest.importorskip("pandas")
    from sklearn.preprocessing import PolynomialFeatures

    frame = pandas.read_csv(data_dir / "sketching" / "california_housing.csv.gz")
    y = frame.pop("median_house_value").to_numpy(float)
    categories = pandas.get_dummies(frame.pop("ocean_proximity"), drop_first=True)
    numbers = frame.fillna(frame.median()).to_numpy(float)
    return np.c_[PolynomialFeatures(3).fit_transform(numbers), categories.to_numpy(float)], y
