"""Kinds: every param has the kind of what the network does with it."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from ltjax.core.errors import UserError
from ltjax.data import DATASETS
from ltjax.models import kinds, make_network, network
from ltjax.settings.loading import load_experiment
from ltjax.training.task import shapes_of

from .conftest import by_name
from .networks import NETWORKS, TOKENS, WORDS, floats
from .test_models import WEIGHTS


def counted(module, inputs, output=None):
    """The kinds of what has one."""
    found = kinds(network(module, inputs), inputs, output)
    return {path: kind for path, kind in found.items() if kind}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_kinds_of_a_network_are_those_written_out_by_hand(name):
    module, inputs, expected = NETWORKS[name]
    assert counted(module, inputs) == expected


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_papers_networks_have_the_kinds_that_their_layers_names_say(name):
    experiment = load_experiment(name)
    source = DATASETS.find(experiment.data.name)
    made = make_network(experiment.model, source.seen, source.classes)
    kernels = by_name(shapes_of(made)[0])
    found = kinds(made, source.seen)
    assert found == dict.fromkeys(found) | kernels


def pair(apply, **shapes):
    """A network of a forward pass and params of those shapes."""
    return (lambda key: {name: jnp.ones(shape) for name, shape in shapes.items()}), apply


def looped(params, inputs):
    def step(hidden, at):
        return jnp.tanh(at @ params["into"] + hidden @ params["within"]), None

    return lax.scan(step, jnp.zeros((len(inputs), 4)), jnp.moveaxis(inputs, 1, 0))[0] @ params["last"]


def while_small(params, inputs):
    def step(units):
        return jnp.tanh(units @ params["within"])

    return lax.while_loop(lambda units: units.sum() < 3, step, inputs) @ params["last"]


def counts(params, inputs):
    """A loop in which only a number is carried, and one that carries nothing."""
    powers = lax.fori_loop(0, 3, lambda _, total: total + params["added"], jnp.zeros((4, 4)))
    units = lax.map(lambda each: each @ params["mapped"], inputs)
    return units @ powers @ params["last"]


def branches(params, inputs):
    units = lax.cond(inputs.sum() > 0, lambda x: x @ params["one"], lambda x: x @ params["other"], inputs)
    return jax.checkpoint(lambda x: jnp.sin(x @ params["kept"]))(units) @ params["last"]


def adapted(params, inputs):
    """A low-rank change of a kernel, and a kernel that some weights are dropped from."""
    units = inputs @ (params["kernel"] + params["down"] @ params["up"])
    half = jnp.where(jax.random.bernoulli(jax.random.key(0), 0.5, (4, 4)), params["dropped"], 0.0)
    return units @ half.astype(jnp.bfloat16).astype(jnp.float32) @ params["last"]


def lowered(params, inputs):
    """An output of a low-rank change."""
    return inputs @ params["first"] @ (params["last"] + params["down"] @ params["up"])


def fused(params, inputs):
    """Kernels side by side in one product, and a slice of a stack of kernels."""
    units = inputs @ jnp.concatenate([params["left"], params["right"]], axis=1)
    return units @ params["stack"][1].T @ params["last"]


def added(params, inputs):
    """What is added or multiplied entry by entry, a vector in a product, and what is unused."""
    units = (inputs + params["positions"][jnp.arange(4)][None]) * params["gate"][None]
    return units @ params["vector"] + (units @ params["last"]).sum(2)


def looked_up(params, inputs):
    """Tokens of which the embeddings are picked by index, and by product, and are used for the output."""
    picked = params["table"][inputs]
    product = jax.nn.one_hot(inputs, WORDS) @ params["one_hot"]
    return jnp.tanh((picked + product) @ params["middle"]) @ params["table"].T


def heads(params, inputs):
    """An output by name that is not computed last."""
    units = inputs @ params["first"]
    return units @ params["output"], units @ params["auxiliary"]


SQUARE = (4, 4)

BY_USE = {
    "looped": (pair(looped, into=(3, 4), within=SQUARE, last=(4, 2)), floats(5, 3),
               {"into": "recurrent", "within": "recurrent", "last": "output"}),
    "while": (pair(while_small, within=SQUARE, last=(4, 2)), floats(4),
              {"within": "recurrent", "last": "output"}),
    "counts": (pair(counts, added=SQUARE, mapped=SQUARE, last=(4, 2)), floats(4),
               {"added": "fc", "mapped": "fc", "last": "output"}),
    "branches": (pair(branches, one=SQUARE, other=SQUARE, kept=SQUARE, last=(4, 2)), floats(4),
                 {"one": "fc", "other": "fc", "kept": "fc", "last": "output"}),
    "adapted": (pair(adapted, kernel=SQUARE, down=(4, 1), up=(1, 4), dropped=SQUARE, last=(4, 2)), floats(4),
                {"kernel": "fc", "down": "fc", "up": "fc", "dropped": "fc", "last": "output"}),
    "lowered": (pair(lowered, first=SQUARE, last=(4, 2), down=(4, 1), up=(1, 2)), floats(4),
                {"first": "fc", "last": "output", "down": "output", "up": "output"}),
    "fused": (pair(fused, left=(4, 2), right=(4, 2), stack=(3, 4, 4), last=(4, 2)), floats(4),
              {"left": "fc", "right": "fc", "stack": "fc", "last": "output"}),
    "added": (pair(added, positions=SQUARE, gate=(1, 4), vector=(4,), last=(4, 2), unused=SQUARE),
              floats(4, 4), {"last": "output"}),
    "looked up": (pair(looked_up, table=(WORDS, 4), one_hot=(WORDS, 4), middle=SQUARE), TOKENS,
                  {"table": "embedding", "one_hot": "fc", "middle": "fc"}),
    "heads": (pair(heads, first=SQUARE, output=(4, 2), auxiliary=(4, 2)), floats(4),
              {"first": "fc", "output": "output", "auxiliary": "fc"}),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_USE)
def test_a_param_has_the_kind_of_its_use(name):
    module, inputs, expected = BY_USE[name]
    assert counted(module, inputs) == expected


@pytest.mark.parametrize("given", ["first", "auxiliary"])
def test_the_output_may_be_named(given):
    module, inputs, expected = BY_USE["heads"]
    assert counted(module, inputs, given) == dict.fromkeys(expected, "fc") | {given: "output"}


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("vit", "block/Dense_1", ["block/Dense_1/kernel"]),
        ("lstm", "OptimizedLSTMCell_0/hf", ["OptimizedLSTMCell_0/hf/kernel"]),
        ("tied", "words", ["words/embedding"]),
        ("vit", "block/MultiHeadDotProductAttention_0/out/kernel",
         ["block/MultiHeadDotProductAttention_0/out/kernel"]),
    ],
)  # fmt: skip
def test_a_layer_of_any_kind_is_the_output_where_it_is_named(name, given, expected):
    module, inputs, _ = NETWORKS[name]
    found = counted(module, inputs, given)
    assert [path for path, kind in found.items() if kind == "output"] == expected


@pytest.mark.parametrize("given", ["fist", "", "first/kernel"])
def test_an_output_that_is_not_there_is_told_with_the_nearest(given):
    module, inputs, _ = BY_USE["heads"]
    with pytest.raises(UserError, match="no layer or param that could be the output.*(first|there are: )"):
        counted(module, inputs, given)


def test_a_bias_is_not_an_output():
    module, inputs, _ = NETWORKS["vit"]
    with pytest.raises(UserError, match="did you mean 'output"):
        counted(module, inputs, "output/bias")


def test_a_network_is_traced_once_for_its_kinds():
    traced = []

    def forward(params, inputs):
        traced.append(inputs.shape)
        return inputs @ params["w"]

    module = pair(forward, w=(4, 2))
    for output in (None, "w"):
        assert counted(module, floats(4), output) == {"w": "output"}
    assert traced == [(2, 4)]
