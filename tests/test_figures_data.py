"""What is in a figure's lines, by hand; and the files of those that a study suffices for."""

import re
from dataclasses import replace
from pathlib import Path

import matplotlib
import pytest

from ltjax import studies
from ltjax.analysis.results import Absent, Study
from ltjax.plots.metrics import Line, points
from ltjax.plots.style import ARMS
from ltjax.settings.loading import experiments, load_experiment
from ltjax.studies import FIGURES, in_order

from .conftest import with_prune
from .drawings import labels, lines, panels, same, tickets
from .made_up import made_up, made_up_sweep

pytestmark = pytest.mark.rendered


def test_a_line_is_the_mean_and_its_bars_the_least_and_the_greatest():
    """Of trials that lie apart unequally: neither the median nor a deviation gives the same."""

    def course(arm, round, trial, repeat):
        off = (0, 1, 5)[trial]
        step = {"ticket": 100, "random": 1000}[arm] * (1 + off + round)
        return {"early_stop_step": step, "early_stop_test_accuracy": 0.93 + 0.01 * off}

    experiment = replace(tickets(2), arms={"ticket": 1, "random": 1}, trials=3)
    early, accuracy = panels(FIGURES["1"].draw(Study([made_up(experiment, course)])))
    x, mean, low, high = lines(early)["winning ticket"]
    assert x == pytest.approx([100, 80.04, 64.06], abs=0.01)
    assert (mean.tolist(), low.tolist(), high.tolist()) == ([300, 400, 500], [100, 200, 300], [600, 700, 800])
    assert lines(early)["random sparsity"][1].tolist() == [3000, 4000, 5000]
    for got, expected in zip(lines(accuracy)["winning ticket"][1:], (0.95, 0.93, 0.98), strict=True):
        assert got == pytest.approx([expected] * 3)


def test_diverged_lanes_are_in_no_mean_and_no_bar_and_the_legend_counts_them():
    def course(arm, round, trial, repeat):
        return {"early_stop_step": 10**trial, "diverged": trial == 1 or (arm == "random" and round == 2)}

    experiment = replace(tickets(2), arms={"ticket": 1, "random": 1})
    figure = FIGURES["1"].draw(Study([made_up(experiment, course)]))
    assert labels(figure) == ["winning ticket (3 of 6 diverged)", "random sparsity (4 of 6 diverged)"]
    found = lines(panels(figure)[0])
    assert found["winning ticket (3 of 6 diverged)"][3].tolist() == [1, 1, 1]
    assert len(found["random sparsity (4 of 6 diverged)"][0]) == 2


def test_a_figure_of_lanes_that_all_diverged_still_draws():
    experiment = replace(tickets(3), arms={"ticket": 1, "random": 1})
    study = Study([made_up(experiment, lambda *lane: {"diverged": True})])
    assert labels(FIGURES["1"].draw(study))[0] == "winning ticket (8 of 8 diverged)"
    assert labels(FIGURES["3"].draw(study)) == []


def test_points_are_ordered_by_size_whatever_the_rounds_were():
    run = made_up(replace(load_experiment("lenet_oneshot"), trials=1), same)
    assert points(run.rows(), "early_stop_step")["x"].is_monotonic_decreasing


def test_figure_9_sets_both_strategies_tickets_side_by_side_by_validation_accuracy():
    iterative = made_up(tickets(1), lambda arm, *_: {"validation": 0.97})
    continued = replace(load_experiment("lenet_continued"), trials=1)
    course = {"ticket": 0.95, "continued": 0.5}
    other = made_up(with_prune(continued, rounds=1), lambda arm, *_: {"validation": course[arm]})
    found = lines(panels(FIGURES["9"].draw(Study([iterative, other])))[1])
    assert found["resetting (Strategy 1)"][1] == pytest.approx([0.97, 0.97])
    assert found["continued training (Strategy 2)"][1] == pytest.approx([0.95, 0.95])


def test_a_short_run_shows_the_sizes_it_has_and_the_dense_network_alone_is_no_figure():
    figure = FIGURES["3"].draw(Study([made_up(tickets(2), same)]))
    assert labels(figure) == ["100%", "80.0%", "64.1%"] and len(panels(figure)) == 1
    with pytest.raises(Absent, match="the dense network and of a ticket"):
        FIGURES["3"].draw(Study([made_up(tickets(0), same)]))


def test_a_sweep_without_curves_is_skipped_with_its_command():
    runs = made_up_sweep("lenet_adam_rates", lambda _: same, trials=1)
    for run in runs:
        run.__dict__["curves"] = None
    with pytest.raises(Absent, match="no curves") as told:
        FIGURES["26"].draw(Study(runs))
    assert told.value.command == "ltjax run --config lenet_adam_rates"


def test_one_run_is_drawn_into_png_and_svg_the_same_each_time_and_nothing_global_changes(tmp_path):
    study = Study([made_up(tickets(3), same)])
    before = dict(matplotlib.rcParams)
    first = studies.draw(study, tmp_path / "one")
    again = studies.draw(study, tmp_path / "two", ["4a", "11"])
    assert dict(matplotlib.rcParams) == before
    assert [each.name for each in first] == in_order() and set(again) < set(first)
    files = {path.name for path in (tmp_path / "one").iterdir()}
    stems = {each.stem for each in first if each.stem}
    assert stems == {f"figure_{name}" for name in ("3", "4a", "4b", "11", "12", "methods", "untrained")}
    assert files == {f"{stem}.{kind}" for stem in stems for kind in ("png", "svg")}
    for file in files:
        content = (tmp_path / "one" / file).read_bytes()
        assert b"ltjax-" not in content
        assert content.startswith(b"\x89PNG" if file.endswith("png") else b"<?xml")
    for drawn in (tmp_path / "two").iterdir():
        assert drawn.read_bytes() == (tmp_path / "one" / drawn.name).read_bytes()
    for each in first:
        assert bool(each.stem) != bool(each.missing and each.command) and each.title


def test_a_mistake_in_a_figure_is_not_taken_for_a_missing_run(tmp_path, monkeypatch):
    def mistaken(study):
        raise KeyError("early_stop")

    monkeypatch.setitem(FIGURES, "1", studies.Entry("A mistake.", mistaken))
    with pytest.raises(KeyError):
        studies.draw(Study([made_up(tickets(1), same)]), tmp_path)


def test_a_line_without_divergence_keeps_its_name():
    run = made_up(tickets(1), same)
    assert Line(ARMS["ticket"], run.rows()).named().label == "winning ticket"


def test_the_document_has_a_line_for_every_figure_and_its_commands_are_experiments():
    text = (Path(__file__).parent.parent / "docs" / "figures.md").read_text()
    listed = [name for row in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)[1:]
              for name in row.split(", ")]  # fmt: skip
    assert sorted(name for name in listed if name[0] != "-") == sorted(FIGURES)
    assert set(re.findall(r"(?:lenet|conv2|vgg19|resnet18)_\w+", text)) <= set(experiments())
