"""Analyses: what each of them computes, and how they are asked, kept and named in an experiment."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import ltjax
from ltjax import ANALYSES, MODELS, analyse, run_experiment
from ltjax.analysis.analyses import folder_of
from ltjax.analysis.connectivity import barriers, between
from ltjax.analysis.evaluation import evaluate
from ltjax.analysis.lanes import Examined
from ltjax.analysis.overlap import common, together
from ltjax.cli.commands import analyse as command
from ltjax.core.choices import Choice
from ltjax.core.errors import UserError
from ltjax.core.types import Lane, Start
from ltjax.lottery.resolving import resolve
from ltjax.lottery.search import Nothing, Search
from ltjax.runs import paths
from ltjax.runs.folder import Run
from ltjax.runs.packing import pack, unpack
from ltjax.settings.schema import Compute, Model
from ltjax.sparsity import masks

from .conftest import TINY, finish, with_prune, with_train

TWICE = replace(
    with_train(with_prune(TINY, rounds=1), steps=6, evaluate_every=6, repeat=("order",), redraw=False),
    arms={"ticket": 2, "reinit": 2}, compute=Compute(keep="all"),
)  # fmt: skip
"""Two copies of every lane, which differ in the order of their data alone."""


@pytest.fixture(scope="module")
def twice(tmp_path_factory) -> Path:
    """A finished run of copies; what is kept of analyses in it may be changed."""
    return finish(TWICE, tmp_path_factory.mktemp("runs") / "twice").folder


@pytest.fixture(scope="module")
def lanes(twice):
    """The lanes of round 1."""
    return Examined(Run(twice)).lanes(1)


def tables(folder: Path, name: str) -> Path:
    return folder_of(folder, Choice("analysis", name))


# what each is


QUICK: dict[str, dict] = {
    "top_eigenvalue": {"examples": 20, "vectors": 5},
    **{name: {"alphas": 2} for name in ("connectivity", "connectivity_before", "connectivity_dense")},
}


@pytest.mark.parametrize("name", sorted(ANALYSES))
def test_an_analysis_gives_a_tidy_table_of_every_round_and_the_same_again(name, twice):
    parameters = QUICK.get(name, {})
    found = analyse(twice, name, **parameters)
    assert found.columns[0] == "round" and set(found["round"]) <= {0, 1} and len(found)
    assert {"arm", "trial", "repeat"} <= set(found.columns) or name == "weight_statistics"  # it pools trials
    shutil.rmtree(folder_of(twice, Choice("analysis", name, parameters)))
    pd.testing.assert_frame_equal(analyse(twice, name, **parameters), found, check_exact=True)


def test_the_ends_of_a_line_are_the_networks_themselves_and_its_middle_is_their_mean(twice):
    run, found = Run(twice), analyse(twice, "connectivity", [1], alphas=3)
    rows = run.summary().set_index(["round", "arm", "trial", "repeat"])
    assert set(found["alpha"]) == {0, 0.5, 1}
    for (arm, trial, split), line in found.groupby(["arm", "trial", "split"]):
        accuracy = line.set_index("alpha")["accuracy"]
        for alpha, repeat in ((0, 0), (1, 1)):
            assert accuracy[alpha] == rows.loc[(1, arm, trial, repeat), f"final_{split}_accuracy"]
        ends = [run.outcome(1, Lane(arm, trial, repeat)).trained for repeat in (0, 1)]
        middle = jax.tree.map(lambda one, other: (one + other) / 2, *ends)
        assert accuracy[0.5] == evaluate(middle, TWICE, split).accuracy
        flat = [np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(end)]) for end in ends]
        assert line["distance"].iloc[0] == pytest.approx(np.linalg.norm(flat[0] - flat[1]), rel=1e-5)


def test_copies_share_mask_and_start_and_are_compared_arm_by_arm(twice):
    found = analyse(twice, "connectivity", [1], alphas=2)
    assert set(found["arm"]) == {"ticket", "reinit"} and found["same_mask"].all()
    assert set(found["other"]) == {"repeat 1"} and set(found["repeat"]) == {0}


@pytest.mark.parametrize(("name", "arms"), [("connectivity_before", 2), ("connectivity_dense", 2)])
def test_successive_levels_lie_in_the_denser_mask(name, arms, twice):
    found = analyse(twice, name, alphas=2)
    assert set(found["round"]) == {1} and set(found["other"]) == {"round 0"}
    assert len(found) == arms * 2 * 2 * 2 * 2  # arms, trials, repeats, splits, alphas
    assert not found["same_mask"].any()


@pytest.mark.parametrize(
    ("accuracy", "loss", "expected"),
    [
        ([0.9, 0.5, 0.7], [1.0, 3.0, 2.0], (0.3, 1.5)),
        ([0.9, 0.95, 0.9], [1.0, 0.5, 1.0], (0.0, 0.0)),  # a valley: the ends are the worst
        ([0.9, 0.85, 0.7], [1.0, 1.6, 2.0], (0.1, 0.5)),  # the worst is an end
    ],
)
def test_a_barrier_is_how_much_worse_the_worst_point_is_than_the_mean_of_the_ends(accuracy, loss, expected):
    line = pd.DataFrame({"arm": "ticket", "alpha": [0, 0.5, 1], "loss": loss, "accuracy": accuracy})
    found = barriers(line.sample(frac=1, random_state=0)).iloc[0]
    assert (found["accuracy_barrier"], found["loss_barrier"]) == pytest.approx(expected)


def test_what_is_no_float_is_not_interpolated_and_the_ends_keep_their_bits():
    one = Start({"w": np.float32([0.1, 3])}, {"count": np.int32(3), "mean": np.float32(1)})
    two = Start({"w": np.float32([0.3, 5])}, {"count": np.int32(9), "mean": np.float32(2)})
    middle = between(one, two, 0.5)
    assert middle.state == {"count": 3, "mean": 1.5} and middle.params["w"].dtype == np.float32
    assert between(one, two, 0).params["w"] is one.params["w"]
    assert between(one, two, 1).params["w"] is two.params["w"]


class Normed(nn.Module):
    """A network with statistics."""

    @nn.compact
    def __call__(self, images, train):
        units = nn.Dense(5)(images.reshape(len(images), -1))
        return nn.Dense(10)(nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(units)))


@pytest.fixture
def normed():
    MODELS["normed"] = lambda model, classes: Normed()
    yield Model(name="normed")
    del MODELS["normed"]


def test_recomputed_statistics_are_those_of_one_pass_in_training(normed, tmp_path):
    """By hand, batch after batch; and at the ends too, where they are not what training left."""
    experiment = replace(with_prune(TWICE, rounds=0), arms={"ticket": 2}, trials=1, model=normed)
    run = finish(experiment, tmp_path / "run")
    lane, other = Examined(run).lanes(0)
    start, data = between(lane.trained, other.trained, 0.5), lane.examples("train")
    state, batch = start.state, experiment.train.batch

    @jax.jit
    def trained(state, positions):
        batch = data.take(positions)
        return lane.task.network.apply(start.params, state, batch.values(), True, jax.random.key(0))[1]

    for first in range(0, data.size // batch * batch, batch):
        state = trained(state, jnp.arange(first, first + batch))
    (found,) = lane.refreshed([start])
    chex.assert_trees_all_close(found.state, state, rtol=1e-4)
    recomputed, interpolated = (
        analyse(run.folder, "connectivity", alphas=2, statistics=each)
        for each in ("recomputed", "interpolated")
    )
    assert set(recomputed["statistics"]) == {"recomputed"}
    assert not np.allclose(recomputed["loss"], interpolated["loss"])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        # common, expected and variance: 8 * (1/2)(1/4)(1/2)(3/4) * 8/7
        ([1, 1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0], (2, 1.0, 8 * 3 / 64 * 8 / 7)),
        ([1, 1, 0, 0], [0, 0, 1, 1], (0, 1.0, 4 / 16 * 4 / 3)),
        ([1, 1], [1, 1], (2, 2.0, 0.0)),
        ([1], [0], (0, 0.0, 0.0)),
    ],
)
def test_what_masks_share_is_counted_beside_what_chance_gives(one, other, expected):
    found = common(np.array(one, bool), np.array(other, bool))
    assert tuple(found[3:]) == pytest.approx(expected)


def test_masks_drawn_at_random_share_what_chance_gives():
    """Over many draws, mean and variance are the hypergeometric distribution's."""
    random = np.random.default_rng(0)
    mask = np.arange(60) < 24
    pairs = [common(random.permutation(mask), random.permutation(np.arange(60) < 15)) for _ in range(2000)]
    counts = [pair.common for pair in pairs]
    assert np.mean(counts) == pytest.approx(pairs[0].expected, abs=0.15)
    assert np.var(counts) == pytest.approx(pairs[0].variance, rel=0.1)


def test_chance_keeps_to_each_layers_own_density():
    one, other = common(np.ones(10, bool), np.ones(10, bool)), common(np.zeros(90, bool), np.zeros(90, bool))
    assert together([one, other]).expected == 10 and together([one, other]).weights == 100


def test_the_overlap_of_trials_is_that_of_their_masks(twice):
    found = analyse(twice, "overlap", [1]).query("arm == 'ticket' and repeat == 0 and layer == ''")
    run = Run(twice)
    one, other = (masks.kernels(run.mask(1, Lane("ticket", trial))) for trial in (0, 1))
    both = sum(int(np.count_nonzero(one[path] & other[path])) for path in one)
    (row,) = found.to_dict("records")
    assert row["common"] == both and row["other"] == "trial 1"
    assert row["iou"] == pytest.approx(both / (row["kept"] + row["other_kept"] - both))
    assert row["z"] == pytest.approx((both - row["expected"]) / np.sqrt(
        sum(common(one[path], other[path]).variance for path in one)
    ))  # fmt: skip


@pytest.mark.parametrize("density", [0.3, 0.05, 0.01])
def test_effective_weights_are_those_on_a_way_from_inputs_to_outputs(density, lanes, monkeypatch):
    """By reachability in NumPy, forwards and backwards, for masks drawn at random."""
    random = np.random.default_rng(1)
    mask = jax.tree.map(lambda leaf: random.random(np.shape(leaf)) < density, lanes[0].mask)
    mask = masks.dense(mask) | {} if density == 1 else jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf if leaf.ndim > 1 else np.ones_like(leaf), mask
    )  # fmt: skip
    kernels = [mask[name]["kernel"] for name in ("fc1", "fc2", "output")]
    reached, needed = [np.ones(len(kernels[0]), bool)], [np.ones(kernels[-1].shape[1], bool)]
    for kernel in kernels:
        reached.append((kernel & reached[-1][:, None]).any(axis=0))
    for kernel in reversed(kernels):
        needed.insert(0, (kernel & needed[0][None]).any(axis=1))
    expected = [
        int((kernel & before[:, None] & after[None]).sum())
        for kernel, before, after in zip(kernels, reached, needed[1:], strict=False)
    ]
    monkeypatch.setattr(type(lanes[0]), "mask", mask)
    found = ANALYSES["effective_sparsity"](lanes[:1]).set_index("layer")["effective"]
    assert [found[f"{name}/kernel"] for name in ("fc1", "fc2", "output")] == expected
    assert found[""] == sum(expected)


def test_the_top_eigenvalue_is_that_of_the_hessian_in_the_space_of_the_mask(lanes):
    """Of every entry of the Hessian, by finite differences of the gradient."""
    lane = lanes[-1]
    small = ANALYSES["top_eigenvalue"](examples=20)
    found = small([lane])["eigenvalue"].iloc[0]
    trained, mask = lane.trained, lane.mask
    paths_ = [("output", "bias"), ("output", "kernel")]
    # in the space of the last layer alone, where the Hessian is small enough to write out
    only = jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf & (tuple(key.key for key in path) in paths_), mask
    )
    columns = []
    flat, restored = jax.flatten_util.ravel_pytree(trained.params)
    chosen = np.flatnonzero(jax.flatten_util.ravel_pytree(only)[0])
    for at in chosen:
        unit = restored(jnp.zeros_like(flat).at[at].set(1))
        columns.append(np.asarray(jax.flatten_util.ravel_pytree(lane.hvp(trained, unit, 20))[0])[chosen])
    block = np.stack(columns)
    np.testing.assert_allclose(block, block.T, atol=1e-4)
    monkey = pytest.MonkeyPatch()
    monkey.setattr(type(lane), "mask", only)
    # the gradient is taken at the weights that the mask leaves, so the network is asked as it is
    monkey.setattr(type(lane), "hvp", lambda self, at, vector, examples: restored(
        jnp.zeros_like(flat).at[chosen].set(block @ jax.flatten_util.ravel_pytree(vector)[0][chosen])
    ))  # fmt: skip
    inside = small([lane])["eigenvalue"].iloc[0]
    monkey.undo()
    assert inside == pytest.approx(np.linalg.eigvalsh(block)[-1], rel=1e-3)
    assert found >= inside - 1e-4  # a larger space has no smaller one


# how they are asked and kept


def ask(line: str, expect: int = 0) -> None:
    status = 0
    try:
        command.main(line.split())
    except SystemExit as left:
        status = left.code or 0
    assert status == expect


def test_a_table_is_kept_and_read_from_there_until_what_it_came_from_is_another(twice, monkeypatch, tmp_path):
    folder = Path(shutil.copytree(twice, tmp_path / "copy"))
    first = analyse(folder, "overlap")
    monkeypatch.setitem(ANALYSES, "overlap", replace_with(lambda lanes: pytest.fail("it was asked again")))
    pd.testing.assert_frame_equal(analyse(folder, "overlap"), first)
    own = Run(folder)
    for path, note in own.parts[1]:
        note["rows"][0]["early_stop_step"] += 1
        own.rewrite(path, own.part(path, note), [], note)
    with pytest.raises(pytest.fail.Exception):
        analyse(folder, "overlap", [1])
    pd.testing.assert_frame_equal(analyse(folder, "overlap", [0]), first.query("round == 0"))


def replace_with(function):
    @dataclass(frozen=True)
    class Other(ltjax.ANALYSES["overlap"]):
        def __call__(self, lanes):
            return function(lanes)

    return Other


def test_other_parameters_are_another_table(twice):
    analyse(twice, "connectivity", [1], alphas=2, splits=["test"])
    assert (paths.analyses(twice) / "connectivity,alphas=2,splits=test").is_dir()


def test_a_thinned_run_keeps_the_rows_that_cannot_be_had_again_and_says_what_it_lacks(
    twice, tmp_path, capsys
):
    folder = Path(shutil.copytree(twice, tmp_path / "thin"))
    before = analyse(folder, "connectivity", [1], alphas=2)
    ltjax_keep(folder, "tickets")
    (kept,) = paths.analyses(folder).glob("connectivity,alphas=2")
    table = pd.read_parquet(paths.analysis(kept, 1))
    table.attrs = {"computed from": {"rows": 0}}
    table.to_parquet(paths.analysis(kept, 1))
    ask(f"{folder} connectivity --alphas 2 --rounds 1")
    assert "4 lanes are left out: their trained params were not kept" in capsys.readouterr().out
    again = pd.read_parquet(paths.analysis(kept, 1))
    order = ["arm", "trial", "split", "alpha"]
    pd.testing.assert_frame_equal(
        again.sort_values(order, ignore_index=True), before.sort_values(order, ignore_index=True)
    )


def ltjax_keep(folder: Path, what: str) -> None:
    from ltjax.cli.commands import keep

    keep.main([str(folder), "--keep", what, "--quiet"])


def test_a_packed_run_has_its_tables(twice, tmp_path):
    before = analyse(twice, "connectivity", alphas=2)
    pack(twice, tmp_path / "run.tar.gz", snapshot=False)
    unpack(tmp_path / "run.tar.gz", tmp_path / "again")
    (kept,) = paths.analyses(tmp_path / "again").glob("connectivity,alphas=2")
    pd.testing.assert_frame_equal(
        pd.concat([pd.read_parquet(path) for path in sorted(kept.iterdir())], ignore_index=True), before
    )


def test_several_runs_are_asked_together(twice, tmp_path):
    other = finish(replace(TWICE, seed=4, arms={"ticket": 1}, trials=1), tmp_path / "other").folder
    found = analyse([twice, other], "overlap", [1], other="run").query("layer == ''")
    assert found[["run", "other", "arm", "trial"]].values.tolist() == [["twice", "run other", "ticket", 0]]
    line = analyse([twice, other], "connectivity", [0], other="run", alphas=2)
    assert set(line["other"]) == {"run other"} and line["same_mask"].all()
    wide = replace(TWICE, arms={"ticket": 1}, trials=1, model=Model(widths=(9, 12)))
    wide = finish(wide, tmp_path / "wide").folder
    with pytest.raises(
        UserError, match=r"no line between .*'params/fc1/bias' is of shape \[16\] in one and \[9\]"
    ):
        analyse([twice, wide], "connectivity", [0], other="run")
    with pytest.raises(UserError, match="cannot be compared: they differ in 'fc1/kernel'"):
        analyse([twice, wide], "overlap", [0], other="run")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{run} connectivity --at 0.1 1", "at must have both ends, 0 and 1"),
        ("{run} connectivity --alphas 1", "alphas must be at least 2, not 1"),
        ("{run} conectivity", "there is no analysis 'conectivity'; did you mean 'connectivity'?"),
        ("{run} connectivity --alfas 3", "there is no --alfas; did you mean --alphas?"),
        ("{run} overlap --rounds 7", "there is no round 7 to analyse: '{run}' has rounds 0 to 1"),
        ("{run}", "say what to ask of '{run}': "),
        ("overlap", "name the folder of the run to analyse"),
        ("", "name the folder of a run and an analysis"),
        ("/nowhere overlap", "'/nowhere' holds no run of ltjax"),
    ],
)
def test_a_mistake_is_one_sentence(line, said, twice, capsys):
    ask(line.format(run=twice), 2)
    error = capsys.readouterr().err
    assert said.format(run=twice) in error and "Traceback" not in error


def test_an_analysis_that_finds_nothing_says_what_it_needs(twice, capsys):
    ask(f"{twice} connectivity_dense --rounds 0", 2)
    assert "it needs pairs of lanes whose trained params were kept" in capsys.readouterr().err


def test_the_terminal_shows_the_table_and_the_file_has_all_of_it(twice, tmp_path, capsys):
    ask(f"{twice} overlap --to {tmp_path / 'table.csv'}")
    shown = capsys.readouterr().out
    assert "percent remaining" in shown and f"the whole table: {tmp_path / 'table.csv'}" in shown
    assert len(pd.read_csv(tmp_path / "table.csv")) == len(analyse(twice, "overlap"))


OWN = """
import pandas as pd
from ltjax import ANALYSES

@ANALYSES.register("norms", replace=True)
def norms(lanes):
    norms = [float(abs(lane.trained.params["fc1"]["kernel"]).sum()) for lane in lanes]
    return pd.DataFrame([{**lane.identity, "norm": norm} for lane, norm in zip(lanes, norms)])
"""


def test_an_analysis_of_ones_own_is_asked_like_ours_and_again_once_it_is_changed(twice, tmp_path, capsys):
    file = tmp_path / "own.py"
    file.write_text(OWN)
    try:
        ask(f"{twice} norms --config {file}")
        first = pd.read_parquet(paths.analysis(tables(twice, "norms"), 1))
        file.write_text(OWN.replace(".sum()", ".max()"))
        ask(f"{twice} norms --config {file}")
        assert (pd.read_parquet(paths.analysis(tables(twice, "norms"), 1))["norm"] < first["norm"]).all()
        file.write_text(OWN.replace("lane.trained", "lane.trained_"))
        ask(f"{twice} norms --config {file}", 2)
        error = " ".join(capsys.readouterr().err.split())
        assert "the analysis 'norms'" in error and "own.py" in error and "Traceback" not in error
        file.write_text(OWN.replace("pd.DataFrame(", "list("))
        ask(f"{twice} norms --config {file}", 2)
        assert "must answer with a pandas DataFrame" in " ".join(capsys.readouterr().err.split())
    finally:
        ANALYSES.pop("norms", None)


# named in an experiment


NAMED = replace(
    with_prune(TWICE, rounds=2), trials=1, arms={"ticket": 1, "reinit": 1},
    analyses=("connectivity_before", "overlap_of_arms"), compute=Compute(keep="masks"),
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def of_arms():
    """An analysis that counts lanes whose trained params are there when it is asked."""

    @ANALYSES.register("overlap_of_arms")
    def of_arms(lanes):
        """Whose trained params are there."""
        return pd.DataFrame([{**lane.identity, "kept": lane.kept} for lane in lanes])

    yield
    del ANALYSES["overlap_of_arms"]


def test_analyses_that_are_named_see_all_params_and_the_run_keeps_what_it_says(tmp_path):
    folder = tmp_path / "run"
    run_experiment(NAMED, folder, quiet=True)
    run = Run(folder)
    for round in range(3):
        own = pd.read_parquet(paths.analysis(tables(folder, "overlap_of_arms"), round))
        assert own["kept"].all() and set(own["arm"]) == {"ticket", "reinit"}
        assert not any(lane.kept for lane in Examined(run).lanes(round))
    levels = pd.read_parquet(paths.analysis(tables(folder, "connectivity_before"), 2))
    assert set(levels["other"]) == {"round 1"} and set(levels["arm"]) == {"ticket", "reinit"}
    assert run.experiment.compute.keep == "masks"


def test_a_run_that_ended_before_it_was_asked_is_asked_by_the_same_command(tmp_path, monkeypatch):
    """The table is that of a run in one go, though the round's training was over."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run_experiment(NAMED, whole, quiet=True)
    of_arms = ANALYSES["overlap_of_arms"]

    def fails(lanes):
        if lanes[0].round == 1:
            raise ValueError("not yet")
        return of_arms(lanes)

    monkeypatch.setitem(ANALYSES, "overlap_of_arms", fails)
    with pytest.raises(UserError, match="the analysis 'overlap_of_arms'"):
        run_experiment(NAMED, broken, quiet=True)
    assert max(Run(broken).parts) == 1
    monkeypatch.setitem(ANALYSES, "overlap_of_arms", of_arms)
    run_experiment(NAMED, broken, quiet=True)
    assert paths.summary(broken).read_bytes() == paths.summary(whole).read_bytes()
    for name in NAMED.analyses:
        for round in range(3):
            one, other = (
                pd.read_parquet(paths.analysis(tables(each, name), round)) for each in (whole, broken)
            )
            pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_a_finished_run_can_be_told_to_ask_more(tmp_path):
    folder = tmp_path / "run"
    plain = replace(NAMED, analyses=(), compute=Compute(keep="tickets"))
    run_experiment(plain, folder, quiet=True)
    run_experiment(replace(plain, analyses=("connectivity_before",)), folder, quiet=True)
    found = pd.read_parquet(paths.analysis(tables(folder, "connectivity_before"), 2))
    assert set(found["arm"]) == {"ticket"}  # the controls' params were dropped when nothing was asked
    assert Run(folder).experiment.analyses == ("connectivity_before",)


def test_a_name_that_is_no_analysis_is_told_before_anything_is_trained(tmp_path):
    with pytest.raises(UserError, match="there is no analysis 'conectivity'; did you mean 'connectivity'"):
        run_experiment(replace(TINY, analyses=("conectivity",)), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("redraw", [True, False])
def test_repeats_of_an_arm_can_share_what_the_arm_draws(redraw):
    experiment = with_train(TWICE, redraw=redraw)
    resolved = resolve(experiment)
    search = Search(experiment, Nothing(), resolved.task, resolved.rehearsals[""])
    one, other = search.starts(0, [Lane("reinit", 0, repeat) for repeat in (0, 1)])
    same = all(map(np.array_equal, jax.tree.leaves(one.params), jax.tree.leaves(other.params)))
    assert same != redraw
