"""The figure of connectivity: which barriers and lines are drawn, of one run and of the points of a sweep."""

from dataclasses import replace

import numpy as np
import pytest

from ltjax.analysis.analyses import folder_of
from ltjax.analysis.results import Absent, Study
from ltjax.core.choices import Choice
from ltjax.report import barriers
from ltjax.runs import paths
from ltjax.settings.loading import load_experiment
from ltjax.studies import FIGURES

from .drawings import labels, lines
from .made_up import made_up
from .made_up_lines import ALPHAS, MIDDLE, asked, table


def drawn(*runs):
    return FIGURES["connectivity"].draw(Study(list(runs)))


def test_barriers_are_means_over_pairs_with_bars_to_the_least_and_greatest(tmp_path):
    figure = drawn(asked(tmp_path / "run", range(3)))
    test, train, *_ = figure.axes
    assert test.get_ylabel() == "Error Barrier, Test (Points)"
    for axes in (test, train):
        for name, middle in zip(("winning ticket", "random reinit"), MIDDLE.values(), strict=True):
            x, mean, low, high = lines(axes)[name]
            assert list(x) == [100, 50, 25]
            for drawn_at, of in ((mean, np.mean), (low, min), (high, max)):
                np.testing.assert_allclose(
                    np.asarray(drawn_at, float), [100 * (round + 1) * of(middle) for round in range(3)]
                )
    assert "2 points: stable below" in labels(figure)


def test_the_line_itself_is_drawn_at_the_largest_a_middle_and_the_least_size(tmp_path):
    figure = drawn(asked(tmp_path / "run", range(4)))
    titles = [axes.get_title() for axes in figure.axes if axes.axison]
    assert titles == ["Between two copies"] * 2 + [
        f"{size}% of Weights Remaining" for size in ("100", "25.0", "12.5")
    ]
    line = next(line for line in figure.axes[3].lines if line.get_label() == "winning ticket")
    assert list(line.get_xdata()) == list(ALPHAS)
    np.testing.assert_allclose(line.get_ydata(), [0.9, 0.9 - 3 * 0.02, 0.9])


def test_points_of_a_sweep_are_one_line_where_each_has_its_own_sizes_and_else_several(tmp_path):
    apart = [replace(asked(tmp_path / f"p{round}", [round]), point=f"ticket={round}") for round in (0, 2)]
    figure = drawn(*apart)
    assert list(lines(figure.axes[0])["winning ticket"][0]) == [100, 25]
    together = [replace(asked(tmp_path / f"q{at}", [0, 1]), point=f"k={at}") for at in (0, 500)]
    shown = labels(drawn(*together))
    assert {"winning ticket, k=0", "winning ticket, k=500"} <= set(shown)


def test_each_kind_of_pair_has_panels_of_its_own(tmp_path):
    run = asked(tmp_path / "run", [1])
    home = folder_of(run.folder, Choice("analysis", "connectivity_before"))
    home.mkdir(parents=True)
    table(1).to_parquet(paths.analysis(home, 1), index=False)
    titles = [axes.get_title() for axes in drawn(run).axes if axes.axison]
    assert titles[:4] == ["Between two copies"] * 2 + ["Between a round and the one before"] * 2


def test_a_run_that_was_not_asked_says_how_to_ask():
    with pytest.raises(Absent) as lacking:
        drawn(made_up(load_experiment("lenet_iterative"), lambda *lane: {}, curves=False))
    assert "--analyses connectivity" in lacking.value.command


def test_the_page_has_a_row_for_each_density_and_a_dash_where_an_arm_was_not_asked(tmp_path):
    run = asked(tmp_path / "run", [0])
    home = folder_of(run.folder, Choice("analysis", "connectivity"))
    table(1, arms=("ticket",)).to_parquet(paths.analysis(home, 1), index=False)
    (sheet,) = barriers.sheets(Study([run]))
    assert sheet.name == "Between two copies"
    assert sheet.columns == ["ticket test", "ticket train", "reinit test", "reinit train"]
    assert [(row.percent, row.cells[0], row.cells[2]) for row in sheet.rows] == [
        ("100", ("2.00", "1.00–4.00"), ("6.00", "5.00–7.00")),
        ("50.0", ("4.00", "2.00–8.00"), ("–", "")),
    ]
