"""Tables of real data as designs: a column of ones, numbers, and dummies of categories."""

import csv
import gzip

import numpy as np

HOUSING = "sketching/california_housing.csv.gz"
DIAMONDS = "sketching/diamonds.csv.gz"
FLIGHTS = "sketching/nycflights.csv.gz"  # flights.csv of nycflights13, compressed


def housing(path):
    """House values of districts, by eight numbers and the nearness of the ocean."""
    numbers = (
        "longitude", "latitude", "housing_median_age", "total_rooms", "total_bedrooms",
        "population", "households", "median_income",
    )  # fmt: skip
    return design(path, "median_house_value", numbers, ("ocean_proximity",))


def diamonds(path):
    """Prices of stones, by six numbers and three grades."""
    numbers = ("carat", "depth", "table", "x", "y", "z")
    return design(path, "price", numbers, ("cut", "color", "clarity"))


def flights(path):
    """Delays at arrival, by five numbers, carrier, origin and month; one carrier is rare."""
    numbers = ("dep_delay", "air_time", "distance", "hour", "minute")
    return design(path, "arr_delay", numbers, ("carrier", "origin", "month"))


TABLES = {  # title: file, reader
    "housing": (HOUSING, housing),
    "diamonds": (DIAMONDS, diamonds),
    "flights": (FLIGHTS, flights),
}


def design(path, target, numbers, categories):
    """Return design and targets of the rows that miss nothing; no dummy for a first level."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        table = [row for row in csv.DictReader(file) if complete(row, (target, *numbers))]
    columns = [np.ones(len(table)), *(values(table, name) for name in numbers)]
    for name in categories:
        level = np.array([row[name] for row in table])
        columns += [(level == other).astype(float) for other in np.unique(level)[1:]]
    return np.column_stack(columns), values(table, target)


def complete(row, names):
    return all(row[name] not in ("", "NA") for name in names)


def values(table, name):
    return np.array([row[name] for row in table], dtype=float)
