import re

import numpy as np
import pytest

from lowrank_la import __main__ as tour


@pytest.fixture
def shown(capsys, tmp_path):
    """Run the tour; return its lines and the names of its pictures."""

    def run():
        tour.main(["--out", str(tmp_path / "pictures")])
        lines = capsys.readouterr().out.splitlines()
        return lines, sorted(path.name for path in tmp_path.rglob("*.png"))

    return run


def test_the_tour_shows_a_row_and_a_picture_for_each_stop(shown, tmp_path):
    pytest.importorskip("matplotlib")
    lines, pictures = shown()
    assert len(lines) == 1 + len(tour.TOUR) + 1
    assert pictures == sorted(f"{stop.__name__}.png" for stop in tour.TOUR)
    assert all(path.stat().st_size > 5000 for path in tmp_path.rglob("*.png"))
    assert str(tmp_path / "pictures") in lines[-1]


def test_the_median_stop_withstands_spoiled_pixels():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    row = tour.lp_spoiled(figure)
    mean, median = (float(error) for error in re.findall(r"0\.\d{3}", row.outcome))
    assert median < mean / 2
    assert len(figure.axes) == 4


def test_the_cur_stop_tells_digits_by_some_of_their_pixels():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    told, error = re.findall(r"\d+\.\d+", tour.cur_digits(figure).outcome)
    assert float(told) > 90 and float(error) < 0.4
    full, few, rebuilt = (figure.axes[8 * row].images[0].get_array() for row in range(3))
    assert few.count() == 20
    np.testing.assert_array_equal(few.compressed(), full[~few.mask])
    assert np.linalg.norm(rebuilt - full) < 0.5 * np.linalg.norm(full)


def test_the_sensing_stop_finds_the_photo():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    tour.sensing_photo(figure)
    measured, found, photo = (axis.images[0].get_array() for axis in figure.axes)
    assert np.abs(found - photo).max() < 1e-4
    assert np.abs(measured - photo).max() > 0.5


def test_the_tour_asks_for_matplotlib(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(tour, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as stopped:
        tour.main(["--out", str(tmp_path / "pictures")])
    assert stopped.value.code == 1
    assert "plot" in capsys.readouterr().err
    assert not (tmp_path / "pictures").exists()
