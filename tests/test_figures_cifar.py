"""The figures of CIFAR networks on made-up runs: panels, legends, lines, what is lacking."""

from dataclasses import replace

import pytest

from ltjax.analysis.results import Absent, Results, Study
from ltjax.settings.loading import load_experiment
from ltjax.studies import FIGURES
from ltjax.training.rates import Drops

from .conftest import with_prune, with_train
from .drawings import CIFAR, labels, lines, panels, same
from .made_up import made_up
from .made_up_cifar import NAMES, as_the_paper_says, runs_of, study_of
from .test_figures import EARLY_STOP, PERCENT, TEST, TRAIN, VALID

CONVS = ("conv2", "conv4", "conv6")
ENDS = [f"Accuracy at Iteration 20K/25K/30K ({split})" for split in ("Test", "Train")]
VGG, RESNET = ("29.2K", "60.7K", "112.5K"), ("10.2K", "19.8K", "30K")
"""The steps nearest to the paper's at which made-up runs were evaluated."""


def at(steps, split="Test"):
    return [f"Accuracy at Iteration {each} ({split})" for each in steps]


PANELS = {
    "5": [EARLY_STOP, TEST, TRAIN, ENDS[0]],
    "6": [EARLY_STOP, TEST],
    "10": [EARLY_STOP, VALID],
    "13": [EARLY_STOP, TEST, TRAIN, *ENDS],
    **dict.fromkeys(map(str, range(32, 37)), 3 * [EARLY_STOP, VALID]),
    "37": 3 * [EARLY_STOP, TEST],
    **dict.fromkeys(("7", "38", "40", "45"), at(VGG)),
    **dict.fromkeys(("8", "39", "41", "44"), at(RESNET)),
    "42": at(RESNET, "Val."),
    "43": at(VGG, "Val."),
}
"""The panels of every figure, by the names of their axes."""


def beside(what, *names):
    return [label for name in names for label in (name, f"{name}, {what}")]


CONV = ("Conv-2", "Conv-4", "Conv-6")
OF_VGG = ("rate 0.1", "rate 0.01", "rate 0.1, warmup 10K")
OF_RESNET = ("rate 0.1", "rate 0.01", "rate 0.03, warmup 20K")
ADAM = [f"0.000{n}" for n in range(1, 9)]
PRUNED = ["all", "fully-connected only", "convolutions only"]

LEGENDS = {
    "5": [beside("reinit", *CONV)],
    "6": [beside("no dropout", *CONV)],
    "10": [beside("continued", *CONV)],
    "13": [beside("reinit", *CONV)],
    "7": [beside("reinit", *OF_VGG)],
    "8": [beside("reinit", *OF_RESNET)],
    "32": 3 * [ADAM],
    "33": [
        ["0.0001", "0.0005", "0.0008", "0.001", "0.0015", "0.0025"],
        ["0.001", "0.002", "0.003", "0.005", "0.01"],
        ["0.0025", "0.005", "0.01", "0.02", "0.025", "0.03", "0.035"],
    ],
    "34": [
        ["0.0001", "0.0003", "0.0005", "0.0007", "0.001", "0.0015"],
        *2 * [["0.001", "0.002", "0.003", "0.004", "0.005", "0.008"]],
    ],
    "35": 3 * [["5%", "10%", "15%", "20%", "25%", "30%"]],
    "36": 3 * [ADAM[:5]],
    "37": 3 * [PRUNED],
    "38": [beside("layer-wise", *OF_VGG)],
    "39": [beside("layer-wise", *OF_RESNET)],
    "40": [beside("reinit", *OF_VGG)],
    "41": [beside("reinit", *OF_RESNET)],
    "42": [beside("reinit", "0.01", "0.02", "0.03", "0.05", "0.1")],
    "43": [beside("reinit", "0.01", "0.02", "0.03", "0.05", "0.1")],
    "44": [["0", "500", "1K", "5K", "10K", "20K"]],
    "45": [["0", "1K", "5K", "10K", "20K", "50K"]],
}
"""The entries of every figure's legends."""


def legends(figure):
    found = [axes.get_legend() for axes in figure.axes if axes.get_legend()] + figure.legends
    return [[text.get_text() for text in legend.get_texts()] for legend in found]


def draw(name, *runs: str | Results):
    """A figure of the made-up runs of named experiments, or of runs."""
    parts = [runs_of(each) if isinstance(each, str) else [each] for each in runs]
    return FIGURES[name].draw(Study([run for part in parts for run in part]))


def varied(name, **train):
    """A made-up run of a named experiment trained in another way."""
    experiment = with_prune(with_train(replace(load_experiment(name), trials=1), **train), rounds=6)
    experiment = replace(experiment, arms=dict.fromkeys(experiment.arms, 1))
    return made_up(experiment, as_the_paper_says(experiment))


@pytest.fixture(scope="module")
def drawn():
    study = study_of(*NAMES)
    return {name: FIGURES[name].draw(study) for name in [*CIFAR, "1", "14"]}


@pytest.mark.parametrize("name", CIFAR)
def test_panels_and_axes_are_the_papers(drawn, name):
    assert [axes.get_ylabel() for axes in panels(drawn[name])] == PANELS[name]
    for axes in panels(drawn[name]):
        assert axes.get_xlabel() == ("Weights Remaining (Thousands)" if name == "37" else PERCENT)
        assert axes.get_xscale() == "log" and axes.get_xlim()[0] > axes.get_xlim()[1]


@pytest.mark.parametrize("name", CIFAR)
def test_legends_name_every_line_in_order_and_every_line_is_in_every_panel(drawn, name):
    assert legends(drawn[name]) == LEGENDS[name]
    shown = [list(lines(axes)) for axes in panels(drawn[name])]
    each = len(shown) // len(LEGENDS[name])
    assert shown == [legend for legend in LEGENDS[name] for _ in range(each)]


@pytest.mark.parametrize("name", ["34", "36"])
def test_every_row_of_a_swept_figure_is_called_by_its_network(drawn, name):
    titles = [axes.get_legend().get_title().get_text() for axes in drawn[name].axes if axes.get_legend()]
    assert titles == [f"{network}\nlearning rate" for network in CONV]


def test_no_two_lines_of_a_panel_look_alike_in_grey_and_a_dashed_one_has_its_partners_colour(drawn):
    for name in [*CIFAR, "1"]:
        for axes in panels(drawn[name]):
            shown = {each.get_label(): each.lines[0] for each in axes.containers}
            looks = {(line.get_marker(), line.get_markerfacecolor() == "white") for line in shown.values()}
            assert len(looks) == len(shown), name
            colours = {label: line.get_color() for label, line in shown.items()}
            assert all(colours[label] == colours[label.rsplit(", ", 1)[0]] for label in colours
                       if label.endswith(("reinit", "dropout", "continued", "layer-wise")))  # fmt: skip


@pytest.mark.parametrize("names", [["1", "5", "6", "10", "13"], ["7", "38", "40"], ["8", "39", "41"]])
def test_a_network_or_a_setting_looks_the_same_in_all_figures(drawn, names):
    def looks(name):
        shown = {each.get_label(): each.lines[0] for each in panels(drawn[name])[-1].containers}
        return {label: (line.get_color(), line.get_marker()) for label, line in shown.items()}

    first, *others = map(looks, names)
    assert all(first[label] == other[label] for other in others for label in first if label in other)
    assert len(set(first.values())) == 3


# The lines' data.


def fixed(name, *, rounds=1, **values):
    """A made-up run whose lanes have these values; a callable is told the arm."""
    experiment = with_prune(replace(load_experiment(name), trials=1), rounds=rounds)
    experiment = replace(experiment, arms=dict.fromkeys(experiment.arms, 1))
    return made_up(
        experiment,
        lambda arm, *_: {key: value(arm) if callable(value) else value for key, value in values.items()},
    )


def test_figure_5_has_tickets_solid_and_reinits_dashed_in_every_column():
    def by_arm(ticket, reinit):
        return lambda arm: {"ticket": ticket, "reinit": reinit}.get(arm, 0.5)

    run = fixed(
        "conv2_controls", early_stop_step=by_arm(100, 300), early_stop_test_accuracy=by_arm(0.7, 0.6),
        early_stop_train_accuracy=by_arm(0.8, 0.75), final_test_accuracy=by_arm(0.69, 0.62),
        final_train_accuracy=by_arm(1.0, 0.99),
    )  # fmt: skip
    ticket, reinit = [100, 0.7, 0.8, 0.69, 1.0], [300, 0.6, 0.75, 0.62, 0.99]
    for name, count in (("5", 4), ("13", 5)):
        found = [lines(axes) for axes in panels(draw(name, run))]
        assert [each["Conv-2"][1][0] for each in found] == ticket[:count]
        assert [each["Conv-2, reinit"][1][0] for each in found] == reinit[:count]
        assert found[0]["Conv-2"][0] == pytest.approx([100, 80.1], abs=0.1)


def test_figure_6_has_dropout_solid_and_figure_10_validation_accuracy():
    plain = fixed("conv4_iterative", early_stop_test_accuracy=0.7, validation=0.69)
    dropped = fixed("conv4_dropout", early_stop_test_accuracy=0.8)
    found = lines(panels(draw("6", plain, dropped))[1])
    assert found["Conv-4"][1][0] == 0.8 and found["Conv-4, no dropout"][1][0] == 0.7
    continued = fixed("conv4_continued", validation=lambda arm: {"ticket": 0.66, "continued": 0.1}[arm])
    found = lines(panels(draw("10", plain, continued))[1])
    assert found["Conv-4"][1][0] == 0.69 and found["Conv-4, continued"][1][0] == 0.66


@pytest.mark.parametrize(("name", "experiment", "split"), [
    ("7", "vgg19_lr01", "test"), ("8", "resnet18_lr01", "test"), ("43", "vgg19_rates", "validation"),
])  # fmt: skip
def test_accuracy_in_the_midst_of_training_is_the_curves_at_the_nearest_step(drawn, name, experiment, split):
    run = runs_of(experiment)[-1]  # of the swept one, rate 0.1
    for axes, step in zip(panels(drawn[name]), VGG if name in ("7", "43") else RESNET, strict=True):
        rows = run.curves.query("arm == 'reinit' and split == @split")
        seen = rows[rows["step"] == float(step[:-1]) * 1000]["accuracy"].tolist()
        label = ("0.1" if name == "43" else "rate 0.1") + ", reinit"
        assert lines(axes)[label][1].tolist() == seen and len(seen) > 3


def test_shortened_runs_are_shown_at_the_same_fractions_of_training():
    short = {"steps": 3000, "schedule": Drops(2000, (2000, 2500))}
    figure = draw("8", varied("resnet18_lr01", steps=3000), varied("resnet18_warmup", **short))
    assert [axes.get_ylabel() for axes in panels(figure)] == at(["1K", "2K", "3K"])
    assert labels(figure) == beside("reinit", "rate 0.1", "rate 0.03, warmup 2K")
    mixed = draw("8", varied("resnet18_lr01", steps=3000), "resnet18_lr001")
    assert panels(mixed)[2].get_ylabel() == "Accuracy at Iteration 3K/30K (Test)"


def test_global_pruning_is_solid_and_layer_wise_dashed():
    runs = (
        fixed("vgg19_lr01", final_test_accuracy=0.9),
        fixed("vgg19_lr01_layerwise", final_test_accuracy=0.8),
    )
    found = lines(panels(draw("38", *runs))[2])
    assert (found["rate 0.1"][1][0], found["rate 0.1, layer-wise"][1][0]) == pytest.approx(
        (0.9, 0.8), abs=1e-3
    )


def test_figure_37_is_by_the_number_of_weights_and_has_no_points_of_figure_35(drawn):
    both, fc, conv = (lines(panels(drawn["37"])[0])[label][0] for label in PRUNED)
    assert both[0] == fc[0] == conv[0] == 4_300_992
    assert both[-1] < fc[-1] < conv[-1]
    conv_weights, others = 38_592, 4_262_400
    assert conv[1] == others + conv_weights - round(0.1 * 1728) - round(0.1 * 36864)
    alone = legends(draw("35", "conv2_pruning_rates", "conv2_layers"))
    assert alone == [LEGENDS["35"][0]]
    with pytest.raises(Absent):
        draw("35", "conv2_layers")
    with pytest.raises(Absent):
        draw("37", "conv2_pruning_rates")


# Partial studies.


@pytest.mark.parametrize(("name", "kinds"), [
    ("5", ["controls"]), ("6", ["dropout", "iterative"]), ("10", ["continued", "iterative"]),
    ("13", ["controls"]), ("32", ["adam_rates"]), ("37", ["layers"]),
])  # fmt: skip
def test_conv_figures_are_drawn_of_the_networks_that_the_study_has(name, kinds):
    figure = draw(name, *(f"conv4_{kind}" for kind in kinds))
    assert len(panels(figure)) == len(PANELS[name]) // (3 if name in ("32", "37") else 1)
    rows = LEGENDS[name][1:2] if name in ("32", "37") else [LEGENDS[name][0][2:4]]
    assert legends(figure) == rows


@pytest.mark.parametrize(("name", "runs"), [
    ("7", ["vgg19_lr001"]), ("8", ["resnet18_lr001"]), ("40", ["vgg19_lr001_layerwise"]),
    ("38", ["vgg19_lr001", "vgg19_lr001_layerwise", "vgg19_lr01", "vgg19_warmup_layerwise"]),
])  # fmt: skip
def test_deep_figures_are_drawn_of_the_settings_that_the_study_has(name, runs):
    assert labels(draw(name, *runs)) == LEGENDS[name][0][2:4]


def test_figure_1_has_lenet_beside_the_convolutional_networks_or_either_alone():
    lenet = with_prune(replace(load_experiment("lenet_controls"), trials=1), rounds=6)
    run = made_up(replace(lenet, arms=dict.fromkeys(lenet.arms, 1)), same)
    alone, both, without = draw("1", run), draw("1", run, "conv2_controls"), draw("1", "conv6_controls")
    assert labels(alone) == ["winning ticket", "random sparsity"]
    assert labels(both) == beside("random sparsity", "LeNet", "Conv-2")
    assert labels(without) == beside("random sparsity", "Conv-6")
    assert [len(panels(figure)) for figure in (alone, both, without)] == [2, 4, 2]
    assert list(lines(panels(both)[0])) == beside("random sparsity", "LeNet")
    assert list(lines(panels(both)[3])) == beside("random sparsity", "Conv-2")


def test_figure_14_has_a_panel_for_every_network_and_setting(drawn):
    rates = {"Resnet-18": OF_RESNET, "VGG-19": OF_VGG}
    deep = [
        f"{network}, {each}" for network, (high, low, warm) in rates.items() for each in (warm, high, low)
    ]
    assert [axes.get_title() for axes in panels(drawn["14"])] == [*CONV, *deep]
    assert labels(drawn["14"]) == ["winning ticket", "random reinit", "random sparsity"]
    steps = ["20K", "25K", "30K", *3 * ["30K"], *3 * ["112.48K"]]
    assert [axes.get_ylabel() for axes in panels(drawn["14"])] == at(steps)
    few = draw("14", "conv4_controls", "vgg19_lr001")
    assert [axes.get_title() for axes in panels(few)] == ["Conv-4", "VGG-19, rate 0.01"]


def test_axes_of_one_network_have_its_own_rounds_as_ticks(drawn):
    def ticks(axes):
        return [axes.xaxis.get_major_formatter()(tick) for tick in axes.get_xticks()]

    assert ticks(panels(drawn["14"])[1]) == ["100", "53.5", "29.1"]
    assert ticks(panels(drawn["8"])[0]) == ["100", "64.4", "41.7", "27.1"]


# What is lacking, and which runs will do.

LACKING = {
    "5": ("conv2_controls with ticket and reinit, nor of conv4 or conv6", "conv2_controls"),
    "6": ("conv2_dropout with ticket, nor of conv4 or conv6", "conv2_dropout"),
    "7": ("vgg19_lr01 with ticket and reinit and its curves, nor of lr001 or warmup", "vgg19_lr01"),
    "8": ("resnet18_lr01 with", "resnet18_lr01"),
    "10": ("conv2_iterative with ticket and its curves", "conv2_iterative"),
    "13": ("conv2_controls", "conv2_controls"),
    "32": ("no sweep of train.learning_rate by adam, as conv2_adam_rates has", "conv2_adam_rates"),
    "33": ("by sgd", "conv2_sgd_rates"),
    "34": ("by momentum", "conv2_momentum_rates"),
    "35": ("sweep of prune.rates.conv by adam", "conv2_pruning_rates"),
    "36": ("conv2_dropout_rates", "conv2_dropout_rates"),
    "37": ("sweep of prune.rates.conv and prune.rates.fc and prune.rates.output", "conv2_layers"),
    "38": ("vgg19_lr01", "vgg19_lr01"),
    "39": ("resnet18_lr01", "resnet18_lr01"),
    "40": ("vgg19_lr01_layerwise", "vgg19_lr01_layerwise"),
    "41": ("resnet18_lr01_layerwise", "resnet18_lr01_layerwise"),
    "42": ("sweep of train.learning_rate by momentum, as resnet18_rates", "resnet18_rates"),
    "43": ("as vgg19_rates has", "vgg19_rates"),
    "44": ("sweep of train.schedule.warmup", "resnet18_warmups"),
    "45": ("sweep of train.schedule.warmup", "vgg19_warmups"),
}
"""What is said, and the experiment to run, where a study has nothing of the kind."""


@pytest.mark.parametrize("name", CIFAR)
def test_a_figure_without_runs_says_what_is_missing_and_the_command(name):
    with pytest.raises(Absent) as told:
        FIGURES[name].draw(Study([]))
    what, experiment = LACKING[name]
    assert what in told.value.what
    assert told.value.command == f"ltjax run --config {experiment}"


def test_what_is_set_beside_a_run_is_asked_for_as_that_was_trained():
    warmed = Drops(20, load_experiment("vgg19_warmup").train.schedule.parameters["drops"])
    cases = {
        "10": (varied("conv4_iterative", steps=2000), "conv4_continued --train.steps 2000"),
        "38": (varied("vgg19_warmup", schedule=warmed), "vgg19_warmup_layerwise --train.schedule.warmup 20"),
        "6": (varied("conv6_dropout"), "conv6_iterative"),
    }
    for name, (run, command) in cases.items():
        with pytest.raises(Absent) as told:
            draw(name, run)
        assert told.value.command == f"ltjax run --config {command}"


def test_a_run_without_curves_is_none_where_they_are_needed():
    runs = [made_up(run.experiment, same, point=run.point, curves=False) for run in runs_of("resnet18_rates")]
    with pytest.raises(Absent, match="no curves of the sweep"):
        draw("42", *runs)


def test_another_learning_rate_is_drawn_but_no_dropout_and_for_the_deep_networks_no_other_rate():
    faster = varied("conv2_controls", learning_rate=1e-3)
    assert labels(draw("5", faster)) == LEGENDS["5"][0][:2]
    dropped = replace(faster.experiment, model=replace(faster.experiment.model, dropout=0.5))
    with pytest.raises(Absent):
        draw("5", made_up(dropped, same))
    with pytest.raises(Absent):
        draw("7", varied("vgg19_lr01", learning_rate=0.05))


def test_diverged_lanes_are_counted_in_the_label_and_in_no_mean():
    named = with_prune(replace(load_experiment("vgg19_lr01"), trials=2), rounds=1)
    run = made_up(named, lambda arm, n, trial, _: {"diverged": (arm, trial) == ("reinit", 1),
                                                   "final_test_accuracy": 0.9 - trial})  # fmt: skip
    figure = draw("7", run)
    assert labels(figure) == ["rate 0.1", "rate 0.1, reinit (2 of 4 diverged)"]
    ticket, reinit = lines(panels(figure)[2]).values()
    assert (ticket[1][0], reinit[1][0]) == pytest.approx((0.4, 0.9), abs=0.001)
