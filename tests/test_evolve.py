"""Masks that change while lanes train: their counts are exact, and new weights begin at 0 with no past."""

import itertools
import math
from dataclasses import replace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ltjax
from ltjax import EVOLVES, analyse, find_tickets, load_experiment, load_ticket
from ltjax.core.choices import Choice, chosen
from ltjax.core.errors import UserError
from ltjax.core.keys import named_key
from ltjax.core.safetensors import load_tensors
from ltjax.core.types import Lane
from ltjax.data import split
from ltjax.export.files import export
from ltjax.lottery.dry_run import describe, plan
from ltjax.lottery.resolving import resolve
from ltjax.models import make_network
from ltjax.runs.folder import Run
from ltjax.runs.merging import merge
from ltjax.runs.opening import open_run
from ltjax.runs.packing import pack, unpack
from ltjax.runs.thinning import thin
from ltjax.settings.schema import Compute, Data, Experiment, Model, Train
from ltjax.settings.schema import Prune as Pruned
from ltjax.sparsity import masks
from ltjax.sparsity.schedules import AtInit
from ltjax.training.evolve import Gradual, Layer, RigL, Set, final_step, moved, numbers_of, steps_of
from ltjax.training.optimizers import Momentum
from ltjax.training.step import LaneStart, Training, course_of

from .conftest import classifying, finish
from .test_snapshots import Killed, train

pytestmark = pytest.mark.usefixtures("quick_compilation")

STEPS, SIZES = 30, (64, 8, 10)
PATHS = ["fc1/kernel", "output/kernel"]
KEPT = dict(zip(PATHS, (150, 33), strict=True))


@pytest.fixture(scope="module")
def splits(digits):
    return split(digits, 100, 0)


class Alone:
    """A lane of a network with one hidden layer, trained step by step."""

    def __init__(self, evolve, splits, optimizer="sgd", dense=False, lane=0):
        network = make_network(Model(widths=SIZES[1:2]), (8, 8, 1), SIZES[2])
        self.train = Train(steps=STEPS, batch=30, optimizer=optimizer, learning_rate=0.1)
        self.evolve, self.splits = chosen("evolve", evolve), splits
        self.training = Training(classifying(network), self.train, splits.train.size, evolve=self.evolve)
        params, collections = network.init(named_key(0))
        self.mask = jax.tree.map(lambda leaf: np.ones(leaf.shape, bool), params)
        if not dense:
            for path, kept in KEPT.items():
                layer, kernel = path.split("/")
                shape = params[layer][kernel].shape
                flat = np.random.default_rng(1).permutation(math.prod(shape)) < kept
                self.mask[layer][kernel] = flat.reshape(shape)
        numbers = numbers_of(self.evolve, STEPS, self.mask, PATHS, 0)
        self.numbers = {path: dict(zip(self.at, map(int, row), strict=True))
                        for path, row in numbers.items()}  # fmt: skip
        course = course_of(named_key(0, "lane", lane))._replace(numbers=numbers)
        self.start = LaneStart(params, collections, self.mask, course)

    @property
    def at(self):
        return steps_of(self.evolve, STEPS)

    def states(self):
        """The state before each step, and the last."""
        advance = jax.jit(self.training.advance, static_argnums=4)
        state = self.training.begin(self.start)
        yield state
        for step in range(STEPS):
            state, _ = advance(state, self.start.course, self.splits, step, 1)
            yield state


def kernels(tree):
    return {path: np.asarray(leaf) for path, leaf in masks.kernels(tree).items()}


def moments(state):
    """The trees of an optimizer's state that are shaped like the params."""
    trees = jax.tree.leaves(state.optimizer, is_leaf=lambda each: isinstance(each, dict))
    return [tree for tree in trees if isinstance(tree, dict)]


def counts(mask):
    return {path: int(leaf.sum()) for path, leaf in kernels(mask).items()}


@settings(max_examples=60)
@given(st.data())
def test_a_move_keeps_the_count_drops_the_smallest_and_takes_none_that_has_just_gone(data):
    """Beside Python's own sorting of (size, index), with ties, infinities and what is not a number."""
    size = data.draw(st.integers(2, 24))
    values = st.sampled_from([0.0, -0.0, 0.5, -0.5, 1.0, 2.0, np.inf, np.nan])
    weights, scores = (data.draw(st.lists(values, min_size=size, max_size=size)) for _ in range(2))
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    number = data.draw(st.integers(0, min(mask.sum(), (~mask).sum())))
    arrays = (np.array(weights, np.float32), np.array(scores, np.float32))
    found = np.asarray(jax.jit(moved)(np.int32(number), mask, *arrays))

    def first(among, of):
        order = sorted(np.flatnonzero(among), key=lambda at: (np.isnan(of[at]), np.nan_to_num(of[at]), at))
        return set(order[:number])

    gone, come = first(mask, np.abs(arrays[0])), first(~mask, arrays[1])
    assert set(np.flatnonzero(found)) == set(np.flatnonzero(mask)) - gone | come
    assert found.sum() == mask.sum() and not gone & set(np.flatnonzero(found))


@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
@pytest.mark.parametrize("evolve", [Set(interval=4, fraction=0.5), RigL(interval=4)], ids=["set", "rigl"])
def test_counts_stay_and_what_is_new_begins_at_0_with_no_moments_in_place_of_an_update(
    evolve, optimizer, splits
):
    lane = Alone(evolve, splits, optimizer)
    states = list(lane.states())
    for step, (before, after) in enumerate(itertools.pairwise(states)):
        assert counts(after.mask) == KEPT
        olds, news = kernels(before.mask), kernels(after.mask)
        if step not in lane.at:
            chex.assert_trees_all_equal(before.mask, after.mask)
            assert not np.array_equal(before.params["fc1"]["bias"], after.params["fc1"]["bias"])
            continue
        stay = jax.tree.map(lambda one, two: np.asarray(one & two), before.mask, after.mask)
        past, left = moments(before), moments(after)
        assert len(past) == {"adam": 2, "momentum": 1}[optimizer]
        for one, two in zip([before.params, *past], [after.params, *left], strict=True):
            chex.assert_trees_all_equal(two, masks.apply(stay, one))
        for path in PATHS:
            assert (news[path] & ~olds[path]).sum() == lane.numbers[path][step]
    assert any(number for row in lane.numbers.values() for number in row.values())


def by_numpy(lane, orders, momentum):
    """RigL and gradient descent in float64: weights and masks after every step, by what Evci et al. write."""
    images, labels = np.asarray(lane.splits.train.inputs), np.asarray(lane.splits.train.targets)
    params = jax.tree.map(lambda leaf: np.asarray(leaf, float), lane.start.params)
    mask = jax.tree.map(np.array, lane.mask)
    params = jax.tree.map(lambda leaf, keep: leaf * keep, params, mask)
    moments = jax.tree.map(np.zeros_like, params)
    evolve = lane.evolve.make()
    last = evolve.end * STEPS
    for step in range(STEPS):
        batches = len(images) // 30
        at = orders[step][step % batches * 30 :][:30]
        inputs, wanted = images[at].reshape(30, -1) / 255.0, np.eye(10)[labels[at]]
        hidden = np.maximum(inputs @ params["fc1"]["kernel"] + params["fc1"]["bias"], 0)
        logits = hidden @ params["output"]["kernel"] + params["output"]["bias"]
        likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        out = (likely - wanted) / 30
        back = (out @ params["output"]["kernel"].T) * (hidden > 0)
        dense = {"fc1": {"kernel": inputs.T @ back, "bias": back.sum(axis=0)},
                 "output": {"kernel": hidden.T @ out, "bias": out.sum(axis=0)}}  # fmt: skip
        if step and step % evolve.interval == 0 and step < last:
            for layer in ("fc1", "output"):
                own, values = mask[layer]["kernel"].ravel(), params[layer]["kernel"].ravel()
                number = round(evolve.fraction / 2 * (1 + math.cos(math.pi * step / last)) * int(own.sum()))
                alive, others = np.flatnonzero(own), np.flatnonzero(~own)
                gone = sorted(alive, key=lambda place: (abs(values[place]), place))[:number]
                slopes = dense[layer]["kernel"].ravel()
                come = sorted(others, key=lambda place: (-abs(slopes[place]), place))[:number]
                new = own.copy()
                new[gone], new[come] = False, True
                mask[layer]["kernel"] = new.reshape(mask[layer]["kernel"].shape)
                for tree in (params, moments):
                    flat = tree[layer]["kernel"].ravel().copy()
                    flat[[*gone, *come]] = 0
                    tree[layer]["kernel"] = flat.reshape(tree[layer]["kernel"].shape)
        else:
            moments = jax.tree.map(lambda m, g, keep: momentum * m + g * keep, moments, dense, mask)
            params = jax.tree.map(
                lambda leaf, moment: leaf - lane.train.learning_rate * moment, params, moments
            )
        yield jax.tree.map(np.array, params), jax.tree.map(np.array, mask)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_thirty_steps_of_rigl_are_what_numpy_makes_of_them_mask_by_mask(momentum, splits):
    optimizer = Momentum(momentum) if momentum else "sgd"
    lane = Alone(RigL(interval=4, fraction=0.5, end=0.9), splits, chosen("optimizer", optimizer))
    states = list(lane.states())
    changed = 0
    orders = [np.asarray(state.order) for state in states[1:]]
    for state, (params, mask) in zip(states[1:], by_numpy(lane, orders, momentum), strict=True):
        chex.assert_trees_all_equal(state.mask, mask)
        chex.assert_trees_all_close(state.params, params, rtol=1e-3, atol=1e-5)
        changed += not np.array_equal(mask["fc1"]["kernel"], lane.mask["fc1"]["kernel"])
    assert changed == 26, "from the first change on, at step 4, the mask is another"


def test_places_where_set_grows_weights_are_the_lanes_own(splits):
    def left(lane):
        return list(Alone(Set(interval=10), splits, lane=lane).states())[11].mask

    one, again, other = left(0), left(0), left(1)
    chex.assert_trees_all_equal(one, again)
    assert not np.array_equal(one["fc1"]["kernel"], other["fc1"]["kernel"])


def test_gradual_pruning_begins_dense_and_follows_the_cubic_curve_to_the_rounds_counts(splits):
    lane = Alone(Gradual(interval=4, start=0.1, end=0.9), splits)
    assert lane.at == (7, 11, 15, 19, 23, 27)  # from step 3 to 27, the last one too
    left = {path: math.prod(kernels(lane.mask)[path].shape) for path in PATHS}
    size = dict(left)
    for step, state in enumerate(lane.states()):
        if step - 1 in lane.at:  # the step before changed it
            way = 1 - (1 - (step - 1 - 3) / 24) ** 3
            left = {path: round(size[path] - (size[path] - KEPT[path]) * way) for path in PATHS}
        assert counts(state.mask) == left, step
    assert counts(state.mask) == KEPT
    assert final_step(lane.evolve, STEPS, numbers_of(lane.evolve, STEPS, lane.mask, PATHS, 0)) == 28


@given(st.integers(1, 60), st.data(), st.integers(0, 20))
def test_a_lane_that_starts_late_has_lost_at_its_first_change_what_had_gone_by_then(size, data, start):
    kept, evolve = data.draw(st.integers(0, size)), Gradual(interval=3)
    late = evolve.numbers(STEPS, Layer((size,), kept, start))
    whole = evolve.numbers(STEPS, Layer((size,), kept))
    assert list(late) == list(whole) and sum(late.values()) == size - kept
    assert all(number == 0 for step, number in late.items() if step < start)
    later = [step for step in whole if step >= start]
    assert [late[step] for step in later[1:]] == [whole[step] for step in later[1:]]


@pytest.mark.parametrize("evolve", [Set(interval=4), RigL(interval=4), Gradual(interval=4)], ids=str)
def test_a_dense_lane_trains_as_it_would_without(evolve, splits):
    *_, plain = Alone("none", splits, "adam", dense=True).states()
    *_, state = Alone(evolve, splits, "adam", dense=True).states()
    chex.assert_trees_all_close(state, plain, rtol=1e-5, atol=1e-7)
    chex.assert_trees_all_equal(state.mask, plain.mask)


def primitives(jaxpr, inside=""):
    """What a jaxpr computes, by the names of what it lies in."""
    for equation in jaxpr.eqns:
        yield inside, equation.primitive.name
        for value in equation.params.values():
            for each in value if isinstance(value, tuple | list) else [value]:
                inner = getattr(each, "jaxpr", each)
                if hasattr(inner, "eqns"):
                    yield from primitives(inner, f"{inside} {equation.primitive.name}")


@pytest.mark.parametrize("evolve", ["none", Set(interval=4), RigL(interval=4), Gradual(interval=4)], ids=str)
def test_nothing_is_sorted_between_changes_even_by_lanes_that_train_together(evolve, splits):
    lane = Alone(evolve, splits)
    state = lane.training.begin(lane.start)
    course = lane.start.course.with_keys(jax.random.key_data)

    def advance(state, course, step):
        own = course.with_keys(jax.random.wrap_key_data)
        return lane.training.advance(state, own, splits, step, 3)

    both = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), (state, course))
    jaxpr = jax.make_jaxpr(jax.vmap(advance, (0, 0, None)))(*both, jnp.int32(0)).jaxpr
    found = list(primitives(jaxpr))
    assert all("cond" in inside for inside, name in found if name == "sort")
    branches = sum(name == "cond" and inside.count("cond") == 0 for inside, name in found)
    assert branches == (1 if evolve == "none" else 2), "an epoch's order, and a change of masks"


RUN = Experiment(
    name="evolving", trials=2, seed=3, arms={"ticket": 1}, data=Data(validation=100),
    model=Model(widths=(16, 12)), evolve=RigL(interval=5),
    train=Train(steps=40, batch=30, evaluate_every=10, evaluate_batch=2000),
    prune=Pruned(rounds=1, schedule=AtInit((0.3,), dense=False), criterion="random"),
    compute=Compute(keep="all"),
)  # fmt: skip
TICKET = Lane("ticket", 0)
GRADUAL = replace(RUN, evolve=Gradual(interval=5, end=0.3))


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run of RigL, finished; read only."""
    return finish(RUN, tmp_path_factory.mktemp("evolving") / "run")


def together(one, two):
    """Whether two runs hold the same bits of all their lanes."""
    assert one.summary().equals(two.summary())
    for lane in one.lanes(1):
        chex.assert_trees_all_equal(one.outcome(1, lane), two.outcome(1, lane))
        chex.assert_trees_all_equal(one.began(1, lane), two.began(1, lane))


def test_tables_have_the_mask_that_training_left_and_a_ticket_the_rounds(ran):
    left, began = ran.mask(1, TICKET), ran.began(1, TICKET)
    assert counts(left) == counts(began) and not np.array_equal(left["fc1"]["kernel"], began["fc1"]["kernel"])
    assert set(ran.summary()["weights_remaining"]) == {sum(counts(left).values())}
    ticket = load_ticket(ran.folder, trial=0, round=1)
    chex.assert_trees_all_equal(ticket.mask, began)
    trained = ran.outcome(1, TICKET).trained
    for path, leaf in kernels(left).items():
        assert (kernels(trained)[path][~leaf] == 0).all()


def test_an_analysis_tells_how_far_masks_moved(ran):
    table = analyse(ran.folder, "mask_moved").query("trial == 0").set_index("layer")
    left, began = kernels(ran.mask(1, TICKET)), kernels(ran.began(1, TICKET))
    for path, leaf in left.items():
        row = table.loc[path]
        assert row["new"] == (leaf & ~began[path]).sum() and row["stayed"] == (leaf & began[path]).sum()
        assert row["began"] == row["kept"] == leaf.sum() and row["weights"] == leaf.size
    assert table.loc["", "new"] == table.loc[list(left), "new"].sum() > 0


def test_killed_between_changes_it_ends_with_the_same_bits(ran, tmp_path):
    with pytest.raises(Killed):
        train(tmp_path, (1, 30), experiment=RUN)
    run, steps = train(tmp_path, experiment=RUN)
    assert steps[0] == (1, 20)
    together(run, ran)


def test_a_lane_alone_ends_with_the_bits_that_it_has_among_others(ran):
    (found,) = find_tickets(RUN, only=[1])
    lane = Lane("ticket", 1)
    chex.assert_trees_all_equal(found.lane(lane), ran.outcome(1, lane))


def test_arms_that_a_round_is_given_later_begin_with_the_tickets_first_mask(tmp_path):
    one = replace(RUN, trials=1)
    more = replace(one, arms={"ticket": 1, "reinit": 1, "shuffle": 1})
    finish(one, tmp_path / "later")
    later, whole = finish(more, tmp_path / "later"), finish(more, tmp_path / "whole")
    together(later, whole)
    first = later.began(1, TICKET)
    chex.assert_trees_all_equal(later.began(1, Lane("reinit", 0)), first)
    assert counts(later.began(1, Lane("shuffle", 0))) == counts(first)


def test_it_is_merged_packed_thinned_and_exported(ran, tmp_path):
    half = open_run(tmp_path / "half", RUN)
    for found in find_tickets(RUN, past=half, only=[1]):
        half.save(found, 0.0)
    merge([tmp_path / "half", ran.folder], tmp_path / "merged")
    merged = Run(tmp_path / "merged")
    together(merged, ran)
    pack(merged.folder, tmp_path / "run.tar.gz")
    unpack(tmp_path / "run.tar.gz", tmp_path / "carried")
    carried = Run(tmp_path / "carried")
    for lane in ran.lanes(1):
        chex.assert_trees_all_equal(carried.mask(1, lane), ran.mask(1, lane))
        chex.assert_trees_all_equal(carried.began(1, lane), ran.began(1, lane))
    assert thin(merged, "masks") == 2
    for lane in ran.lanes(1):
        chex.assert_trees_all_equal(Run(merged.folder).began(1, lane), ran.began(1, lane))
    export(ran, 1, TICKET, tmp_path / "exported")
    own, initial = (kernels(load_tensors(tmp_path / "exported" / f"{name}.safetensors"))
                    for name in ("mask", "initial"))  # fmt: skip
    for path, leaf in kernels(ran.mask(1, TICKET)).items():
        np.testing.assert_array_equal(np.asarray(own[path], bool), leaf)
        began = kernels(ran.began(1, TICKET))[path]
        np.testing.assert_array_equal(initial[path] != 0, began)


def test_the_early_stop_is_looked_for_once_the_density_is_final():
    (found,) = find_tickets(GRADUAL)
    assert sorted(found.curves["step"].unique()) == [0, 10, 20, 30, 40]
    for row in found.summary.itertuples():
        own = found.curves.query("split == 'validation' and trial == @row.trial and step > 12")
        assert row.early_stop_step == own.loc[own["loss"].idxmin(), "step"] >= 20
        assert row.weights_remaining == sum(counts(found.began(Lane("ticket", row.trial))).values())
        begun = counts(found.mask(Lane("ticket", row.trial)))
        assert begun == counts(found.began(Lane("ticket", row.trial)))


def test_methods_are_points_of_a_sweep():
    sweep = {"evolve": ("none", "set", "rigl"), "evolve.interval": (None, 5, 5)}
    swept = replace(RUN, trials=1, evolve="none", sweep=sweep)
    found = {each.point: each for each in find_tickets(swept)}
    assert sorted(found) == ["evolve=none", "evolve=rigl", "evolve=set"]
    began = [each.began(TICKET) for each in found.values()]
    chex.assert_trees_all_equal(*began)
    left = {point: each.mask(TICKET)["fc1"]["kernel"] for point, each in found.items()}
    np.testing.assert_array_equal(left["evolve=none"], began[0]["fc1"]["kernel"])
    assert not np.array_equal(left["evolve=set"], left["evolve=rigl"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prune": Pruned(rounds=1)}, "evolve rigl needs masks that read no trained weights: choose --prune"),
        ({"prune": Pruned(rounds=0, structure="n_of_m")}, "not keep the pattern of prune.structure n_of_m"),
        ({"evolve": RigL(interval=50)}, "evolve.interval 50 and the share .* no step of train.steps 40"),
        ({"evolve": Gradual(end=0.01)}, "evolve.interval 100 and the share"),
        ({"evolve": "rigged"}, "there is no evolve 'rigged'"),
        ({"evolve": Choice("evolve", "set", {"fraction": 1.5})}, "evolve.fraction must lie between 0 and 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_before_anything_trains(changes, message):
    with pytest.raises(UserError, match=message):
        resolve(replace(RUN, **changes))


OWN = '''
from dataclasses import dataclass

import jax.numpy as jnp
import ltjax
from ltjax.training.evolve import moved


@ltjax.EVOLVES.register("own")
@dataclass(frozen=True)
class Own:
    """Once, a tenth of a layer moves to where the gradient is smallest."""

    at: int = 3

    def numbers(self, steps, layer):
        return {self.at: layer.kept // 10}

    def __call__(self, number, mask, weights, dense, key):
        return CALL


experiment = ltjax.Experiment(name="own")
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A function that gives the experiment of a file with an evolve whose call is this."""
    monkeypatch.setattr(ltjax, "EVOLVES", EVOLVES)

    def load(call):
        path = tmp_path / "own.py"
        path.write_text(OWN.replace("CALL", call))
        load_experiment(path)
        return replace(RUN, trials=1, evolve="own")

    yield load
    EVOLVES.pop("own", None)


def test_an_evolve_of_ones_own_is_a_few_lines(own):
    (found,) = find_tickets(own("moved(number, mask, weights, jnp.abs(dense))"))
    left, began = (kernels(each) for each in (found.mask(TICKET), found.began(TICKET)))
    assert {path: (leaf & ~began[path]).sum() for path, leaf in left.items()} == {
        path: leaf.sum() // 10 for path, leaf in began.items()
    }


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("mask * 1.0", "the evolve 'own' must return a mask: bool, of the shape that it is given"),
        ("mask & (weights != weights)", "must leave as many weights of a layer as the round's mask has"),
        ("mask + missing", "the evolve 'own' raised NameError at .*own.py, line 20"),
    ],
)
def test_an_evolve_of_ones_own_that_is_wrong_is_told_before_anything_trains(call, message, own):
    with pytest.raises(UserError, match=message):
        resolve(own(call))


def test_the_dry_run_says_that_masks_save_no_flops():
    resolved = resolve(RUN)
    text = describe(RUN, plan(resolved))
    assert "rigl, masks change at 5 of the steps, the first 5, the last 25; masks save none" in text
    still = replace(RUN, evolve="none")
    assert "masks change" not in describe(still, plan(resolve(still)))
    assert plan(resolved).step_flops == plan(resolve(still)).step_flops
