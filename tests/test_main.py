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


def test_the_tour_does_without_matplotlib(shown, monkeypatch):
    monkeypatch.setattr(tour, "_new_figure", lambda: None)
    lines, pictures = shown()
    assert len(lines) == 1 + len(tour.TOUR) + 1
    assert pictures == []
    assert "plot" in lines[-1]
