"""What holds of every criterion, structure and densities: counts, shrinking masks, rewound bits, draws."""

from dataclasses import replace

import chex
import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import assume, given, settings

from ltjax import CRITERIA, DENSITIES, STRUCTURES, Choice
from ltjax.core.found import Found
from ltjax.core.trees import leaves_by_path
from ltjax.core.types import Lane, Start
from ltjax.data import split
from ltjax.lanes.derivatives import Differentiated
from ltjax.lottery.pruning import pruned
from ltjax.lottery.resolving import resolve
from ltjax.lottery.search import Nothing, Search
from ltjax.settings.schema import Model
from ltjax.sparsity import counts, masks
from ltjax.training.tasks import task_of

from .conftest import TINY, with_prune

SMALL = replace(TINY, model=Model(widths=(8, 4)), trials=3, arms={"ticket": 1, "reinit": 1, "shuffle": 1})

ITERATIVE, AT_INIT = Choice("schedule", "iterative"), Choice("schedule", "at_init", {"densities": (0.5, 0.2)})
PARAMETERS = {"n_of_m": {"n": (2, 1), "m": 4}}

ways = st.tuples(
    *(st.sampled_from(sorted(registry)) for registry in (CRITERIA, STRUCTURES, DENSITIES)),
    st.sampled_from([ITERATIVE, AT_INIT]),
)  # fmt: skip


def fits(structure, densities, schedule):
    """What has counts of its own goes by rates alone; what ranks all layers together has no densities."""
    if structure in ("n_of_m", "channels"):
        return schedule == ITERATIVE and densities == "rates"
    return structure == "layer" or densities == "rates"


def experiment_of(criterion, structure, densities, schedule):
    rates = replace(SMALL.prune.rates, output=SMALL.prune.rates.fc)
    return with_prune(
        SMALL, rounds=2, criterion=criterion, densities=densities, schedule=schedule, rates=rates,
        structure=Choice("structure", structure, PARAMETERS.get(structure, {})),
    )  # fmt: skip


@pytest.fixture(scope="module")
def derivatives(digits):
    return Differentiated(task_of(SMALL), split(digits, 100, SMALL.seed).train, 500)


@given(way=ways, seed=st.integers(0, 2**31 - 1))
@settings(max_examples=60, derandomize=True)
def test_masks_have_their_counts_shrink_and_leave_what_is_never_pruned(derivatives, way, seed):
    assume(fits(*way[1:]))
    experiment = experiment_of(*way)
    resolved = resolve(experiment)
    task, functions = resolved.task, resolved.rehearsals[""].functions
    theta0 = Start(*jax.device_get(task.network.init(jax.random.key(seed))))
    trained = Start(jax.tree.map(lambda leaf: leaf * np.float32(1.5) + np.float32(0.01), theta0.params), {})
    mask = masks.dense(theta0.params)
    for round in (1, 2):
        before = mask if experiment.prune.schedule == ITERATIVE else masks.dense(mask)
        found = Found(
            theta0, before, jax.random.key(seed), round, 40, {0: theta0}, trained, task, derivatives
        )
        mask, again = (pruned(experiment, functions, found, task.kinds) for _ in range(2))
        chex.assert_trees_all_equal(mask, again)
        kept = counts.kept_of(experiment.prune, round, task.kinds, before, structure=functions.structure[1])
        ours, former = leaves_by_path(mask), leaves_by_path(before)
        for group, number in kept.items():
            assert sum(np.count_nonzero(ours[path]) for path in group) == number
        for path, leaf in ours.items():
            assert not np.any(leaf & ~former[path])
            assert path in task.kinds or leaf.all() or way[1] == "channels"
        rewound = masks.apply(mask, theta0.params)
        for path, leaf in leaves_by_path(rewound).items():
            own = leaves_by_path(theta0.params)[path]
            np.testing.assert_array_equal(np.asarray(leaf)[ours[path]], own[ours[path]])
            assert not np.any(np.asarray(leaf)[~ours[path]])


@given(way=ways, trial=st.integers(0, 2), arm=st.sampled_from(sorted(SMALL.arms)))
@settings(max_examples=25, derandomize=True)
def test_a_lane_begins_alone_as_it_does_among_others(derivatives, way, trial, arm):
    """To the bit, whatever trials and arms are asked for beside it, before it or with it."""
    criterion, structure, densities, _ = way
    assume(fits(structure, densities, AT_INIT))
    experiment = experiment_of(criterion, structure, densities, AT_INIT)
    resolved = resolve(experiment)

    def search():
        return Search(experiment, Nothing(), resolved.task, resolved.rehearsals[""], derivatives=derivatives)

    lane, together = Lane(arm, trial), resolved.lanes("", 2)
    (alone,) = search().starts(2, [lane])
    among = search().starts(2, together)[together.index(lane)]
    chex.assert_trees_all_equal((alone.params, alone.mask), (among.params, among.mask))
    assert jax.random.key_data(alone.course.key).tolist() == jax.random.key_data(among.course.key).tolist()
