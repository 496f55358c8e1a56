"""Methods of pruning side by side: what is one method, what it is called, how it is drawn and tabled."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from ltjax.analysis.methods import groups, names_of
from ltjax.analysis.results import Absent, Study
from ltjax.core.choices import Choice
from ltjax.lanes.history import LANE
from ltjax.plots.leaving import GONE
from ltjax.plots.style import GREY
from ltjax.report import methods as tabled
from ltjax.runs.learned import Learned
from ltjax.settings.loading import load_experiment
from ltjax.settings.schema import Experiment, Prune, Rates
from ltjax.studies import FIGURES

from .conftest import with_prune, with_train
from .drawings import labels, lines, panels
from .made_up import made_up
from .test_page import Parsed, render

OFF = (-1.0, -1.0, 2.0)
"""Where three trials lie about their mean: no multiple of a deviation reaches both ends."""

CRITERIA = ("magnitude", "random", "snip", "grasp", "grasp_abs", "synflow", "movement", "small_final",
            "magnitude_increase", "initial", "small_initial", "large_initial_and_final")  # fmt: skip


def at_init(*densities, **parameters):
    return Choice("schedule", "at_init", {"densities": densities, **parameters})


def at(value, step=4_000, **others):
    """A course: this test accuracy and step where nothing is pruned, and of tickets; arms have their own."""

    def course(arm, round, trial, repeat):
        mean = 0.98 if round == 0 else others.get(arm, value)
        stop = 8_000 if round == 0 else step
        return {
            "early_stop_test_accuracy": mean + 0.001 * OFF[trial],
            "early_stop_step": stop + 100 * OFF[trial],
        }

    return course


def run(folder, course=at(0.95), arms=(), train=None, **prune):  # noqa: B008
    """A made-up run of three trials, pruned before training to a half unless it is told otherwise."""
    prune = {"schedule": at_init(0.5), "structure": "global", **prune}
    schedule = prune["schedule"]
    rounds = len(schedule.parameters["densities"]) if isinstance(schedule, Choice) else 2
    whole = replace(
        load_experiment("lenet_iterative"), trials=3, arms={"ticket": 1, **dict.fromkeys(arms, 1)}
    )
    made = made_up(
        with_train(with_prune(whole, rounds=rounds, **prune), **(train or {})), course, curves=False
    )
    return kept(made, folder=Path(folder))


def kept(made, **changes):
    """The run with changes, without curves to look for."""
    moved = replace(made, **changes)
    moved.__dict__["curves"] = None
    return moved


def seeded(made, seed):
    return kept(made, experiment=replace(made.experiment, seed=seed))


def evolved(made, evolve):
    return kept(made, experiment=replace(made.experiment, evolve=evolve))


def counted(made, step_flops, first=None):
    """The run as one that knows the FLOPs of a step, perhaps with curves that begin where arms start."""
    moved = kept(made)
    moved.__dict__["learned"] = Learned(step_flops=step_flops)
    if first is not None:
        lanes = made.summary[LANE]
        steps = lanes["arm"].map(first).fillna(0).where(lanes["round"] > 0, 0)
        moved.__dict__["curves"] = pd.concat([lanes.assign(step=steps), lanes.assign(step=50_000)])
    return moved


def draw(*runs):
    return FIGURES["methods"].draw(Study(runs))


def line_of(axes):
    """Every line with bars, by its label."""
    return {each.get_label(): each.lines[0] for each in axes.containers}


# --- what a method is called ---


@pytest.mark.parametrize(
    ("prunes", "names"),
    [
        ([Prune()], ["magnitude"]),
        ([Prune(criterion="snip")], ["snip"]),
        ([Prune(criterion="snip"), Prune(criterion="random")], ["snip", "random"]),
        ([Prune(structure="layer"), Prune(structure="global")], ["per layer", "global"]),
        ([Prune(criterion="snip"), Prune(structure="global"), Prune(criterion="snip", densities="erk")],
         ["snip", "magnitude, global", "snip, ERK"]),
        ([Prune(schedule="iterative"), Prune(schedule="oneshot")], ["iterative", "one-shot"]),
        ([Prune(), Prune(criterion="snip", schedule="at_init")], ["magnitude", "snip, at init"]),
        ([Prune(rewind="original"), Prune(rewind=Choice("rewinding", "step", {"k": 1500}))],
         ["rewound to θ₀", "rewound to step 1,500"]),
        ([Prune(rewind="learning_rate"), Prune(rewind="fine_tune")],
         ["learning-rate rewinding", "fine-tuned"]),
        ([Prune(rewind=Choice("rewinding", "fine_tune", {"t": t})) for t in (100, 200)],
         ["fine-tuned t 100", "fine-tuned t 200"]),
        ([Prune(structure=Choice("structure", "n_of_m", {"m": m})) for m in (4, 8)], ["N:4", "N:8"]),
        ([Prune(schedule=at_init(0.5, steps=steps)) for steps in (1, 100)],
         ["at init steps 1", "at init steps 100"]),
        ([Prune(criterion=of, schedule=at_init(0.5, dense=of == "snip")) for of in ("snip", "random")],
         ["snip", "random"]),
        ([Prune(criterion=Choice("criterion", "mine", {"a": a, "b": 7})) for a in (1, 2)],
         ["mine a 1", "mine a 2"]),
        ([Prune(criterion=Choice("criterion", "{k}")), Prune()], ["{k}", "magnitude"]),
    ],
)  # fmt: skip
def test_a_method_is_called_by_the_choices_in_which_the_given_ones_differ(prunes, names):
    assert names_of([Experiment(prune=prune) for prune in prunes]) == names


@pytest.mark.parametrize(
    ("experiments", "names"),
    [
        ([Experiment(evolve=of) for of in ("none", "set", "rigl", "gradual")],
         ["static", "SET", "RigL", "gradual"]),
        ([Experiment(evolve=Choice("evolve", "set", {"interval": 50})), Experiment(evolve="rigl")],
         ["SET", "RigL"]),
        ([Experiment(evolve=Choice("evolve", "rigl", {"interval": at})) for at in (50, 1_000)],
         ["RigL interval 50", "RigL interval 1,000"]),
        ([Experiment(), Experiment(prune=Prune(criterion="random")),
          Experiment(prune=Prune(criterion="random"), evolve="set")],
         ["magnitude", "random", "random, SET"]),
        ([Experiment(prune=Prune(densities="erk")), Experiment(evolve="set")], ["ERK", "SET"]),
    ],
)  # fmt: skip
def test_masks_that_change_make_a_method_by_the_names_of_the_field(experiments, names):
    assert names_of(experiments) == names


def test_methods_that_differ_in_rates_alone_are_told_apart_by_them():
    rates = [run(f"{fc}", schedule="iterative", structure="layer", rates=Rates(fc=fc)) for fc in (0.2, 0.4)]
    (group,) = groups(Study(rates))
    assert [method.name for method in group.methods] == ["magnitude, rates.fc 0.2", "magnitude, rates.fc 0.4"]


# --- what is one method, and what is compared ---


def test_sizes_of_several_runs_of_a_method_are_one_line_and_a_size_that_both_have_is_one_point():
    first = run("a", at(0.95), criterion="snip", schedule=at_init(0.5, 0.1))
    other = seeded(run("b", at(0.89), criterion="snip", schedule=at_init(0.1, 0.02)), 1)
    (axes,) = panels(draw(first, other, run("c", criterion="random")))
    x, mean, low, high = lines(axes)["snip"]
    assert x == pytest.approx([50, 10, 2])
    assert mean == pytest.approx([0.95, 0.92, 0.89])  # six lanes at 10%: three of each run
    assert low == pytest.approx([0.949, 0.889, 0.889]) and high == pytest.approx([0.952, 0.952, 0.892])


def test_a_lane_that_lies_in_two_runs_counts_once():
    one, again = run("a", at(0.95), arms=["reinit"]), run("b", at(0.95))
    (group,) = groups(Study([one, again]))
    assert [len(group.methods[0].rows(arm)) for arm in ("ticket", "reinit")] == [3, 3]


def test_the_dense_network_of_a_seed_counts_once_whichever_methods_trained_it():
    study = Study([run("a", criterion="snip"), run("b", criterion="random"), seeded(run("c"), 7)])
    (group,) = groups(study)
    assert sorted(zip(group.dense["seed"], group.dense["trial"], strict=True)) == [
        (seed, trial) for seed in (0, 7) for trial in range(3)
    ]


@pytest.mark.parametrize("other", [{"schedule": at_init(0.1)}, {"schedule": at_init(0.5, dense=False)}])
def test_how_much_is_run_and_whether_the_dense_is_makes_no_other_method(other):
    (group,) = groups(Study([run("a"), run("b", **other)]))
    assert [method.name for method in group.methods] == ["magnitude"]


def test_runs_that_are_trained_otherwise_have_a_panel_of_their_own():
    pruned = [("snip", {}), ("random", {}), ("snip", {"steps": 777}), ("random", {"steps": 777})]
    figure = draw(*(run(f"{n}", criterion=of, train=how) for n, (of, how) in enumerate(pruned)))
    assert [axes.get_title() for axes in panels(figure)] == [
        "lenet on mnist, steps 50,000", "lenet on mnist, steps 777"
    ]  # fmt: skip
    first, second = (line_of(axes) for axes in panels(figure))
    assert {name: line.get_color() for name, line in first.items()} == {
        name: line.get_color() for name, line in second.items()
    }
    assert labels(figure) == ["snip", "random", "dense network"]


def test_a_method_that_has_nothing_beside_it_is_left_out_and_the_title_says_so():
    alone = run("c", train={"learning_rate": 0.5})
    figure = draw(run("a"), run("b", criterion="random"), alone)
    assert len(panels(figure)) == 1
    assert figure.get_label().endswith("Of one method alone, so not drawn: lenet on mnist, learning_rate 0.5")


def test_runs_of_which_no_two_are_trained_alike_are_not_drawn_and_it_is_said_why():
    runs = [
        run("a"),
        run("b", criterion="snip", train={"steps": 777}),
        run("c", train={"learning_rate": 0.5}),
    ]
    with pytest.raises(Absent, match=r"these runs differ in train\.steps, train\.learning_rate$") as told:
        draw(*runs)
    assert told.value.command


def test_a_run_that_prunes_nothing_is_not_drawn():
    with pytest.raises(Absent, match="no round that is pruned"):
        draw(run("a", schedule=at_init()))


def test_a_run_that_prunes_nothing_yet_is_no_method_and_adds_its_dense_networks():
    (group,) = groups(Study([run("a", criterion="snip"), seeded(run("b", schedule=at_init()), 5)]))
    assert [method.name for method in group.methods] == ["snip"]
    assert set(group.dense["seed"]) == {0, 5}


def test_a_sweep_of_how_masks_change_is_one_group_whose_dense_network_is_one():
    runs = [evolved(run(of, at(value), criterion="random"), of)
            for of, value in (("none", 0.93), ("set", 0.94), ("rigl", 0.95))]  # fmt: skip
    figure = draw(*runs)
    (axes,) = panels(figure)
    assert labels(figure) == ["static", "SET", "RigL", "dense network"]
    means = {name: float(mean) for name, (_, (mean,), _, _) in lines(axes).items()}
    assert means == pytest.approx({"static": 0.93, "SET": 0.94, "RigL": 0.95})
    (group,) = groups(Study(runs))
    assert len(group.dense) == 3


def test_of_one_evolve_its_parameter_alone_orders_the_methods():
    intervals = [Choice("evolve", "set", {"interval": interval}) for interval in (100, 20, 50)]
    (group,) = groups(Study([evolved(run(str(each.parameters)), each) for each in intervals]))
    assert group.own == {"evolve.interval": [20, 50, 100]} and group.ordered


# --- how it is drawn ---


def test_lines_are_means_and_bars_reach_from_the_least_trial_to_the_greatest():
    snip = run("a", at(0.95, reinit=0.94), arms=["reinit"], criterion="snip", schedule=at_init(0.5, 0.02))
    (axes,) = panels(draw(snip, run("b", at(0.93), criterion="random", schedule=at_init(0.1))))
    found = lines(axes)
    assert list(found) == ["snip", "snip, random reinit", "random"]
    for name, percents, value in (("snip", [50, 2], 0.95), ("snip, random reinit", [50, 2], 0.94),
                                  ("random", [10], 0.93)):  # fmt: skip
        x, mean, low, high = found[name]
        assert x == pytest.approx(percents) and mean == pytest.approx([value] * len(percents))
        assert low == pytest.approx(mean - 0.001) and high == pytest.approx(mean + 0.002)


def test_controls_are_dashed_and_hollow_in_their_methods_colour_and_tickets_solid():
    arms = ["reinit", "shuffle", "invert", "mine"]
    (axes,) = panels(draw(*(run(of, arms=arms, criterion=of) for of in ("snip", "grasp", "random"))))
    found = line_of(axes)
    for method in ("snip", "grasp", "random"):
        ticket = found[method]
        assert ticket.get_linestyle() == "-" and same_color(ticket.get_markerfacecolor(), ticket.get_color())
        own = {name: line for name, line in found.items() if name.startswith(f"{method}, ")}
        assert [name.removeprefix(f"{method}, ") for name in own] == [
            "random reinit", "shuffled mask", "invert", "mine"
        ]  # fmt: skip
        assert all(line.get_color() == ticket.get_color() for line in own.values())
        assert all(line.is_dashed() and line.get_markerfacecolor() == "white" for line in own.values())
        assert len({line.get_marker() for line in own.values()}) == len(own)
    assert len({found[method].get_color() for method in ("snip", "grasp", "random")}) == 3


def test_the_dense_network_is_a_grey_line_with_its_range_and_in_no_methods_line():
    (axes,) = panels(draw(run("a"), run("b", criterion="random")))
    assert all(100 not in x for x, *_ in lines(axes).values())
    (level,) = (line for line in axes.lines if line.get_label() == "dense network")
    assert level.get_ydata() == pytest.approx([0.98, 0.98]) and level.get_color() == GREY
    (band,) = axes.patches
    low, high = band.get_y(), band.get_y() + band.get_height()
    assert (low, high) == (pytest.approx(0.979), pytest.approx(0.982))
    assert axes.get_ylim()[0] < 0.949 and axes.get_ylim()[1] > 0.982


def test_without_a_dense_network_there_is_no_grey_line():
    made = [run(of, criterion=of, schedule=at_init(0.5, dense=False)) for of in ("snip", "random")]
    figure = draw(*(kept(each, summary=each.summary[each.summary["round"] > 0]) for each in made))
    assert labels(figure) == ["snip", "random"] and not panels(figure)[0].patches


def test_a_dense_network_that_diverged_is_no_line():
    def course(arm, round, trial, repeat):
        return {**at(0.95)(arm, round, trial, repeat), "diverged": round == 0}

    figure = draw(run("a", course, criterion="snip"), run("b", course, criterion="random"))
    assert labels(figure) == ["snip (3 of 6 diverged)", "random (3 of 6 diverged)"]


def test_the_legend_has_every_method_once_every_control_once_and_the_dense_network():
    figure = draw(*(run(of, arms=["reinit", "shuffle"], criterion=of) for of in CRITERIA))
    assert labels(figure) == [*CRITERIA, "random reinit", "shuffled mask", "dense network"]


def test_twelve_methods_have_each_a_colour_and_a_marker_of_its_own():
    (axes,) = panels(draw(*(run(of, criterion=of) for of in CRITERIA)))
    found = line_of(axes).values()
    assert len({line.get_color() for line in found}) == len({line.get_marker() for line in found}) == 12


def test_methods_told_apart_by_a_number_run_through_viridis_from_the_least():
    steps = (2_000, 0, 500)
    runs = [run(f"{k}", schedule="iterative", structure="layer",
                rewind=Choice("rewinding", "step", {"k": k})) for k in steps]  # fmt: skip
    (axes,) = panels(draw(*runs))
    found = line_of(axes)
    assert list(found) == ["rewound to step 0", "rewound to step 500", "rewound to step 2,000"]
    light = [sum(line.get_color()[:3]) for line in found.values()]
    assert light == sorted(light)


def test_points_of_one_density_stand_side_by_side_inside_the_axes_with_markers_bars_and_true_values():
    figure = draw(*(run(of, arms=["reinit", "shuffle"], criterion=of) for of in CRITERIA))
    (axes,) = panels(figure)
    figure.draw_without_rendering()
    places = []
    for container in axes.containers:
        line, _, (bars,) = container.lines
        assert list(line.get_xdata()) == pytest.approx([50]) and line.get_marker() not in ("", "None")
        (place,) = line.get_transform().transform(line.get_xydata())[:, :1].ravel()
        ends = bars.get_transform().transform(bars.get_segments()[0])[:, 0]
        assert ends == pytest.approx([place, place])
        places.append(place)
    box = axes.get_window_extent()
    assert np.all(np.diff(places) > 4) and box.x0 < places[0] and places[-1] < box.x1
    assert [axes.xaxis.get_major_formatter()(tick) for tick in axes.get_xticks()] == ["50.0"]


def test_points_at_the_ends_of_an_axis_of_few_densities_stand_inside_it():
    densities = at_init(0.4, 0.02, 0.001)
    arms = ["reinit", "shuffle"]
    figure = draw(*(run(of, arms=arms, criterion=of, schedule=densities) for of in CRITERIA[:3]))
    (axes,) = panels(figure)
    figure.draw_without_rendering()
    box = axes.get_window_extent()
    for container in axes.containers:
        line = container.lines[0]
        across = line.get_transform().transform(line.get_xydata())[:, 0]
        assert box.x0 < across.min() and across.max() < box.x1
    assert [axes.xaxis.get_major_formatter()(tick) for tick in sorted(axes.get_xticks())] == [
        "0.1",
        "2.0",
        "40.0",
    ]


def test_of_many_densities_points_stand_where_they_are():
    runs = [
        run(of, criterion=of, schedule=at_init(*(0.9**n for n in range(1, 12)))) for of in ("snip", "random")
    ]
    (axes,) = panels(draw(*runs))
    assert all(line.get_transform() == axes.transData for line in line_of(axes).values())


def test_a_triangle_stands_where_the_points_of_its_line_stand():
    figure = draw(
        run("a", at(0.97), criterion="snip"), *(run(of, at(0.5), criterion=of) for of in ("random", "grasp"))
    )
    (axes,) = panels(figure)
    figure.draw_without_rendering()
    marks = [line for line in axes.lines if line.get_label() == GONE]
    across = [mark.get_transform().transform(mark.get_xydata())[0, 0] for mark in marks]
    own = [
        line.get_transform().transform(line.get_xydata())[0, 0] for line in list(line_of(axes).values())[1:]
    ]
    assert across == pytest.approx(own)


def test_lanes_that_diverged_are_counted_in_the_legend_and_are_in_no_mean():
    def course(arm, round, trial, repeat):
        return {**at(0.95)(arm, round, trial, repeat), "diverged": round == 1 and trial == 2}

    figure = draw(run("a", course, criterion="snip"), run("b", criterion="random"))
    assert labels(figure)[0] == "snip (1 of 6 diverged)"
    _, mean, low, high = next(iter(lines(panels(figure)[0]).values()))
    assert (mean, low, high) == (pytest.approx([0.949]),) * 3


def test_one_run_of_one_method_is_drawn_by_its_criterion_with_its_controls():
    figure = draw(run("a", arms=["reinit"], criterion="snip"))
    assert labels(figure) == ["snip", "random reinit", "dense network"]
    assert list(lines(panels(figure)[0])) == ["snip", "snip, random reinit"]


# --- the table ---


@pytest.fixture(scope="module")
def study():
    """SNIP at two sizes with a control at both, and random, of another length of training, at one."""
    snip = run(
        "a", at(0.95, 4_000, reinit=0.94), arms=["reinit"], criterion="snip", schedule=at_init(0.5, 0.02)
    )
    return Study([snip, run("b", at(0.93, 6_000), criterion="random", schedule=at_init(0.1)),
                  run("c", at(0.9), criterion="random", train={"steps": 777})])  # fmt: skip


def test_the_table_has_a_row_for_each_method_and_density_with_least_and_greatest(study):
    table = tabled.table(study)
    assert list(table.columns) == [
        "runs", "method", "percent_remaining", "metric",
        "test_ticket", "test_ticket_least", "test_ticket_greatest",
        "test_reinit", "test_reinit_least", "test_reinit_greatest",
        "early_stop_step", "early_stop_step_least", "early_stop_step_greatest", "training_flops",
    ]  # fmt: skip
    none = (np.nan,) * 3
    expected = [
        ("dense network", 100, 0.98, 0.979, 0.982, *none, 8_000, 7_900, 8_200),
        ("snip", 50, 0.95, 0.949, 0.952, 0.94, 0.939, 0.942, 4_000, 3_900, 4_200),
        ("snip", 2, 0.95, 0.949, 0.952, 0.94, 0.939, 0.942, 4_000, 3_900, 4_200),
        ("random", 10, 0.93, 0.929, 0.932, *none, 6_000, 5_900, 6_200),
        ("dense network", 100, 0.98, 0.979, 0.982, *none, 8_000, 7_900, 8_200),
        ("random", 50, 0.9, 0.899, 0.902, *none, 4_000, 3_900, 4_200),
    ]
    assert list(table["method"]) == [name for name, *_ in expected]
    numbers = table.drop(columns=["runs", "method", "metric", "training_flops"]).to_numpy(float)
    np.testing.assert_allclose(numbers, [row for _, *row in expected])
    assert list(table["runs"]) == ["lenet on mnist, steps 50,000"] * 4 + ["lenet on mnist, steps 777"] * 2
    assert set(table["metric"]) == {"accuracy"}


def test_the_table_has_no_number_of_a_lane_that_diverged():
    lost = run("a", lambda *_: {"diverged": True})
    (row,) = tabled.table(Study([lost])).query("method != 'dense network'").to_dict("records")
    assert row["percent_remaining"] == pytest.approx(50) and pd.isna(row["test_ticket"])


def test_the_page_has_the_rows_of_methods_that_can_be_compared(study):
    (sheet,) = tabled.sheets(study)
    assert sheet.columns == ["ticket %", "reinit %", "early-stop step"]
    assert [(row.method, row.percent, row.first, *row.cells) for row in sheet.rows] == [
        ("dense network", "100", 1, ("98.00", "97.90–98.20"), ("–", ""), ("8,000", "7,900–8,200")),
        ("snip", "50.0", 2, ("95.00", "94.90–95.20"), ("94.00", "93.90–94.20"), ("4,000", "3,900–4,200")),
        ("snip", "2.0", 0, ("95.00", "94.90–95.20"), ("94.00", "93.90–94.20"), ("4,000", "3,900–4,200")),
        ("random", "10.0", 1, ("93.00", "92.90–93.20"), ("–", ""), ("6,000", "5,900–6,200")),
    ]
    parsed = Parsed(render(study.runs))
    text = " ".join(parsed.text.split())
    assert "methods" in parsed.ids and "#methods" in parsed.links
    assert "random 10.0 93.00 92.90–93.20 – 6,000 5,900–6,200" in text


def test_training_costs_its_steps_whatever_the_density_and_from_the_start_step_on():
    step = 67_608_000
    still = counted(run("a", schedule=at_init(0.5, 0.02), criterion="random"), step)
    late = counted(run("b", arms=["reinit"]), step, {"ticket": 10_000})
    table = tabled.table(Study([still, late, run("c", criterion="snip")]))
    assert list(zip(table["method"], table["training_flops"], strict=True))[:-1] == [
        ("dense network", 50_000 * step),
        ("random", 50_000 * step), ("random", 50_000 * step),
        ("magnitude", 40_000 * step),  # of tickets, and not of reinits
    ]  # fmt: skip
    assert table["method"].iloc[-1] == "snip" and pd.isna(table["training_flops"].iloc[-1])


def test_the_page_tells_the_cost_of_training_and_that_masks_save_none_of_it_where_it_is_known(study):
    runs = [counted(run("a"), 67_608_000), run("b", criterion="random")]
    (sheet,) = tabled.sheets(Study(runs))
    assert sheet.columns[-1] == "training FLOPs"
    assert [row.cells[-1] for row in sheet.rows] == [("3.38 T", ""), ("3.38 T", ""), ("–", "")]
    said = "Masks save none of them"
    assert said in Parsed(render(runs)).text and said not in Parsed(render(study.runs)).text


def test_a_page_of_one_method_has_no_table_of_methods():
    parsed = Parsed(render([run("a")]))
    assert "methods" not in parsed.ids and "#methods" not in parsed.links
