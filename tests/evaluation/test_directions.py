"""Which way is better: what the printed tables of the paper's metrics say in words."""

import pytest

from calm.evaluation.directions import DIRECTIONS
from tests.written_runs import PUBLISHED


@pytest.mark.parametrize("name", [name for name, table in PUBLISHED.items() if "metrics" in table])
def test_directions_are_those_of_the_tables(name):
    table = PUBLISHED[name]
    words = f"{table['title']} {table.get('note', '')}"
    lower = ["average_drop", "deletion"] if name == "cam_family" else []  # the note names them by their headings
    if name == "cam_family":
        assert "Lower is better for average drop and deletion, higher for all others" in words
    for metric in table["metrics"]:
        expected = "lower" if metric in lower or "(lower is better)" in words else "higher"
        assert DIRECTIONS[table["evaluation"]][metric].better == expected, metric


def test_chance():
    assert DIRECTIONS["accuracy"]["accuracy"].by_chance(12) == pytest.approx(8.3333, abs=1e-4)
    assert DIRECTIONS["pixel_perturb"]["R_90"].by_chance(12) == 1
    assert DIRECTIONS["wsol"]["MaxBoxAcc_30"].by_chance is None
    assert "prevalence" not in DIRECTIONS["cue_location"] and "Ar_30" not in DIRECTIONS["pixel_perturb"]
