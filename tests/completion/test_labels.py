"""Labels and their codes, whatever the labels are."""

import datetime
import uuid

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowrank_la.completion._labels import Labels, encoded
from tests.strategies import integers

WORDS = np.array(["tea", "milk", "tea", "ale"])
DAYS = [datetime.date(2020, 1, 2), datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)]
COLUMNS = {
    "int64": np.array([3, 1, 3, 0]),
    "int8, all of them": np.array([-128, 127, 0, 127], np.int8),
    "uint64, long": np.array([2**64 - 1, 2**64 - 3, 2**64 - 1], np.uint64),
    "int64, far apart": np.array([-(2**63), 2**63 - 1, 5]),
    "int64, far away": np.array([10**15 + 2, 10**15, 10**15 + 2]),
    "bool": np.array([True, False, True]),
    "one bool": np.array([True, True]),
    "float64, whole": np.array([3.0, -1.0, 3.0]),
    "float64, not whole": np.array([0.5, -1.0, 0.5]),
    "float64, huge": np.array([1e300, -1e300, 2.0**53]),
    "float16": np.array([5, 1, 5], np.float16),
    "long double": np.array([5, 1, 5], np.longdouble),
    "text": WORDS,
    "bytes": WORDS.astype(bytes),
    "dates": np.array(["2020-01-02", "2020-01-01", "2020-01-02"], "datetime64[D]"),
    "times": np.array([3, 1, 3], "timedelta64[h]"),
    "text as objects": WORDS.astype(object),
    "integers as objects": np.array([3, 1, 3], object),
    "long integers": np.array([2**70, 1, 2**70], object),
    "numbers and text": np.array([3, "3", 2.5, "3"], object),
    "days": np.array(DAYS, object),
    "identifiers": np.array([uuid.UUID(int=5), uuid.UUID(int=1), uuid.UUID(int=5)], object),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_codes_stand_for_labels(name):
    column = COLUMNS[name]
    labels, codes = encoded(column)
    np.testing.assert_array_equal(labels.values[codes], column)
    assert len(set(labels.values.tolist())) == len(labels) == len(set(column.tolist()))
    assert codes.dtype == labels.codes_of(column).dtype == np.int32
    np.testing.assert_array_equal(labels.codes_of(column), codes)
    if name != "numbers and text":
        assert sorted(labels.values.tolist()) == labels.values.tolist()


@given(integers(12, -5, 5), st.integers(-(2**40), 2**40), st.sampled_from("if"), st.booleans())
def test_tables_find_what_sorting_finds(column, shift, kind, spread):
    column = (column * (10**6 if spread else 1) + shift).astype({"i": np.int64, "f": float}[kind])
    values, codes = np.unique(column[:6], return_inverse=True)
    labels, found = encoded(column[:6])
    np.testing.assert_array_equal(labels.values, values)
    assert labels.values.dtype == column.dtype
    np.testing.assert_array_equal(found, codes)
    sought = [values.tolist().index(x) if x in values else -1 for x in column]
    np.testing.assert_array_equal(labels.codes_of(column), sought)


@given(st.lists(st.text(max_size=2) | st.integers(-2, 2), min_size=1, max_size=8))
def test_dictionaries_take_what_has_no_order(mixture):
    column = np.empty(len(mixture), object)
    column[:] = mixture
    labels, codes = encoded(column)
    assert labels.values[codes].tolist() == mixture
    np.testing.assert_array_equal(labels.codes_of(column), codes)


def test_unknown_labels_have_no_code():
    assert Labels(np.array([2, 5])).codes_of(np.array([2, 9, -4])).tolist() == [0, -1, -1]
    assert Labels(np.array([2, 5])).codes_of(np.array([2.0, 2.5, 1e300])).tolist() == [0, -1, -1]
    assert Labels(np.array([0.5, 2.0])).codes_of(np.array([2, 3])).tolist() == [1, -1]
    assert Labels(np.array(["ale", "tea"])).codes_of(np.array(["milk", "tea"])).tolist() == [-1, 1]
    assert encoded(WORDS)[0].codes_of(np.array(["rum", "tea"], object)).tolist() == [-1, 2]


def test_text_is_text_in_any_array():
    words = encoded(WORDS)[0]
    np.testing.assert_array_equal(words.codes_of(WORDS.astype(object)), words.codes_of(WORDS))
    objects = encoded(WORDS.astype(object))[0]
    np.testing.assert_array_equal(objects.codes_of(WORDS), words.codes_of(WORDS))


def test_categories_of_pandas():
    column = pd.Categorical(["tea", "ale", "tea"], categories=["milk", "tea", "ale"])
    labels, codes = encoded(column)
    assert labels.values.tolist() == ["ale", "tea"]  # what is not there is no label
    assert codes.tolist() == [1, 0, 1]
    assert labels.codes_of(pd.Categorical(["milk", "tea"])).tolist() == [-1, 1]
    with pytest.raises(ValueError, match="NaN"):
        encoded(pd.Categorical(["tea", None]))


@pytest.mark.parametrize("column", [COLUMNS[name] for name in ("int64", "text", "days")])
def test_joined_labels_are_sorted_and_distinct(column):
    joined = encoded(column[:2])[0].joined(encoded(column)[0])
    assert joined.values.tolist() == encoded(column)[0].values.tolist()


def test_joined_labels_may_need_another_type():
    whole, halves = encoded(np.array([1, 2]))[0], encoded(np.array([0.5, 2.0]))[0]
    assert whole.joined(halves).values.tolist() == [0.5, 1.0, 2.0]
    longer = encoded(np.array(["a"]))[0].joined(encoded(np.array(["long", "a"]))[0])
    assert longer.values.tolist() == ["a", "long"]


MISSING = {
    "NaN": np.array([1.0, np.nan]),
    "infinity": np.array([1.0, np.inf]),
    "NaT": np.array(["2020-01-01", "NaT"], "datetime64[D]"),
    "complex": np.array([1j, 2.0]),
    "None": np.array(["a", None], object),
    "NaN among words": np.array(["a", np.nan], object),
    "NaN among numbers": np.array([1, np.nan], object),
    "pandas.NA": np.array(["a", pd.NA], object),
    "no order": np.full(2, object()),
    "no hash": np.array([{}, "a"], object),
}


@pytest.mark.parametrize("name", MISSING)
def test_missing_labels_are_refused(name):
    with pytest.raises(ValueError, match="label"):
        encoded(MISSING[name])


@pytest.mark.parametrize(
    ("known", "asked", "message"),
    [
        ([1, 2], ["1"], "text where fit saw numbers"),
        (["1"], [1], "numbers where fit saw text"),
        (["1"], np.array([1, "1"], object), "objects where fit saw text"),
        ([1], np.array(["2020-01-01"], "datetime64[D]"), "dates where fit saw numbers"),
    ],
)
def test_labels_of_another_kind_are_refused(known, asked, message):
    labels = encoded(np.array(known))[0]
    with pytest.raises(ValueError, match=message):
        labels.codes_of(np.asarray(asked))
    with pytest.raises(ValueError, match=message):
        labels.joined(Labels(np.asarray(asked)))


def test_a_mixture_may_meet_anything():
    labels = encoded(np.array([1, "a"], object))[0]
    assert labels.codes_of(np.array([1, 2])).tolist() == [0, -1]
    assert labels.codes_of(np.array(["a"])).tolist() == [1]
