"""Any network: Linen modules, NNX classes and functions of rngs, and pairs of pure functions, as networks."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from ltjax.core.errors import UserError
from ltjax.core.keys import named_key
from ltjax.core.trees import leaves_by_path
from ltjax.models import Network, make_network, network
from ltjax.settings.schema import Model

from .networks import (
    NETWORKS,
    OUTPUTS,
    TOKENS,
    WORDS,
    NnxMlp,
    NnxTransformer,
    Noisy,
    floats,
    pure_apply,
    pure_init,
)
from .test_convolution import primitives

DRAWING = {"vit", "embeddings", "tied", "scanned", "noisy", "nnx mlp", "nnx scanned",
           "nnx transformer", "pure"}  # fmt: skip
"""Networks whose training draws random numbers."""

LEARNING = {"noisy": "counts", "scanned": "batch_stats", "spectral norm": "batch_stats", "nnx mlp": "norm",
            "nnx scanned": "layers"}  # fmt: skip
"""Networks with a state that training moves, and where it lies."""

LANES, BATCH = 2, 4


def made(name):
    module, inputs, _ = NETWORKS[name]
    return network(module, inputs), inputs


def batch_of(inputs):
    """A batch for shapes of one example: normal numbers, or tokens."""

    def drawn(leaf):
        shape = (BATCH, *leaf.shape)
        if jnp.issubdtype(leaf.dtype, jnp.integer):
            return jax.random.randint(named_key(7), shape, 0, WORDS, leaf.dtype)
        return jax.random.normal(named_key(7), shape, leaf.dtype)

    return jax.tree.map(drawn, inputs)


@pytest.fixture(scope="module", params=NETWORKS)
def passes(request):
    """Params and state of two lanes, and their passes in training and evaluation with either of two keys."""
    net, inputs = made(request.param)
    batch, keys = batch_of(inputs), jnp.stack([named_key(8), named_key(9)])

    def lane(key):
        start = net.init(key)

        def passed(train):
            return jax.vmap(lambda key: net.apply(*start, batch, train, key))(keys)

        return start, {train: passed(train) for train in (True, False)}

    starts, found = jax.jit(jax.vmap(lane))(jnp.stack([named_key(lane) for lane in range(LANES)]))
    by_key = {train: [jax.tree.map(lambda leaf, at=at: leaf[:, at], each) for at in range(2)]
              for train, each in found.items()}  # fmt: skip
    return request.param, starts, by_key


def test_its_outputs_are_finite_floats_for_every_lane_and_example(passes):
    _, _, found = passes
    for outputs, _ in found[True] + found[False]:
        assert outputs.shape[:2] == (LANES, BATCH) and outputs.shape[-1] in (OUTPUTS, WORDS)
        assert outputs.dtype == jnp.float32 and np.isfinite(outputs).all()
        assert (outputs[0] != outputs[1]).any()  # lanes have params of their own


def test_what_training_draws_goes_by_the_key_and_evaluation_draws_nothing(passes):
    name, _, found = passes
    (one, _), (other, _) = found[True]
    assert (one != other).any() == (name in DRAWING)
    chex.assert_trees_all_equal(*found[False])


def test_state_moves_in_training_alone_and_keeps_its_shapes(passes):
    name, (_, state), found = passes
    for _, after in found[False]:
        chex.assert_trees_all_equal(after, state)
    for _, after in found[True]:
        chex.assert_trees_all_equal_shapes_and_dtypes(after, state)
        moved = [path for path, leaf in leaves_by_path(after).items()
                 if (leaf != leaves_by_path(state)[path]).any()]  # fmt: skip
        assert {path.split("/")[0] for path in moved} == ({LEARNING[name]} if name in LEARNING else set())


def test_params_are_plain_containers_of_float_arrays(passes):
    _, (params, state), _ = passes

    def is_plain(node):
        if isinstance(node, dict):
            return all(isinstance(key, str) and is_plain(each) for key, each in node.items())
        if isinstance(node, list):
            return all(map(is_plain, node))
        return isinstance(node, jax.Array)

    assert is_plain(params) and is_plain(state)
    assert all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in jax.tree.leaves(params))


def test_params_of_half_precision_stay_so():
    net, _ = made("bfloat16")
    assert {leaf.dtype for leaf in jax.tree.leaves(net.init(named_key(0))[0])} == {jnp.dtype("bfloat16")}


def test_dropout_and_other_random_numbers_of_a_module_have_the_bits_of_flaxs():
    class Dropping(nn.Module):
        @nn.compact
        def __call__(self, inputs, train):
            return nn.Dropout(0.5)(nn.Dense(3)(inputs), deterministic=not train)

    net, batch, key = network(Dropping(), (5,)), batch_of(floats(5)), named_key(3)
    params, state = net.init(named_key(0))
    expected = Dropping().apply({"params": params}, batch, train=True, rngs={"dropout": key})
    np.testing.assert_array_equal(net.apply(params, state, batch, True, key)[0], expected)


def test_an_nnx_network_computes_what_its_module_does():
    net, batch = network(NnxMlp, floats(5)), batch_of(floats(5))

    def as_a_network(key):
        params, state = net.init(key)
        evaluated, _ = net.apply(params, state, batch, False, key)
        _, after = net.apply(params, state, batch, True, key)
        return params["layers"]["0"]["kernel"], evaluated, after["norm"]["mean"]

    def as_a_module(key):
        module = NnxMlp(rngs=nnx.Rngs(key))
        module.eval()
        evaluated = module(batch)
        module.train()
        module(batch)
        return module.layers[0].kernel.get_value(), evaluated, module.norm.mean.get_value()

    chex.assert_trees_all_close(
        *(jax.jit(each)(named_key(4)) for each in (as_a_network, as_a_module)), rtol=1e-6
    )


class Features(nnx.Module):
    """Random features, which are drawn and are not params, and rngs given at each call."""

    def __init__(self, rngs):
        self.random = jax.random.normal(rngs.params(), (5, 6))
        self.last = nnx.Linear(6, OUTPUTS, rngs=rngs)
        self.dropout = nnx.Dropout(0.5)

    def __call__(self, inputs, rngs):
        return self.last(self.dropout(jnp.cos(inputs @ self.random), rngs=rngs))


def test_what_an_nnx_module_draws_and_does_not_train_is_each_lanes_own_and_kept():
    net, batch = network(Features, floats(5)), batch_of(floats(5))

    def lane(key):
        params, state = net.init(key)
        assert set(params) == {"last"}
        passes = [net.apply(params, state, batch, True, named_key(each)) for each in (1, 2)]
        return state, passes

    state, (one, other) = jax.jit(jax.vmap(lane))(jnp.stack([named_key(lane) for lane in range(LANES)]))
    assert (state["random"][0] != state["random"][1]).any() and (one[0] != other[0]).any()
    chex.assert_trees_all_equal(one[1], other[1], state)


@pytest.mark.parametrize(
    "module", [nn.Conv(4, (3, 3)), lambda given: nnx.Conv(2, 4, (3, 3), rngs=given)], ids=["linen", "nnx"]
)
def test_a_convolution_has_ltjaxs_arithmetic(module):
    net, batch = network(module, (6, 6, 2)), batch_of(floats(6, 6, 2))
    params, state = net.init(named_key(0))

    def total(params):
        return net.apply(params, state, batch, True, named_key(1))[0].sum()

    assert "custom_vmap_call" in {name for name, _ in primitives(jax.make_jaxpr(total)(params).jaxpr)}


def test_the_same_module_and_inputs_are_the_same_network_and_others_are_not():
    module, pair = nn.Dense(3), (pure_init, pure_apply)
    assert network(module, (5,)) is network(module, floats(5))
    assert network(NnxMlp, floats(5)) is network(NnxMlp, floats(5))
    assert network(pair, floats(5)) is network((pure_init, pure_apply), floats(5))
    assert network(module, (5,)) is not network(module, (6,))
    assert network(module, (5,)) is not network(nn.Dense(3), (5,))
    own = Network(pure_init, pure_apply)
    assert network(own, (5,)) is own
    assert make_network(Model(), (8, 8, 1), 10) is make_network(Model(), floats(8, 8, 1), 10)


class Two(nn.Module):
    """Takes two arguments."""

    @nn.compact
    def __call__(self, tokens, mask, train):
        return nn.Dense(3)(tokens * mask)


class Mute(nn.Module):
    """Has no forward pass."""


class Silent(nnx.Module):
    """Has no forward pass."""

    def __init__(self, rngs):
        self.layer = nnx.Linear(2, 3, rngs=rngs)


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (3, "a network is a Linen module, an NNX class or a function of rngs, or a pair"),
        ((pure_init,) * 3, "a network is a Linen module"),
        ((pure_init, 3), "a network is a Linen module"),
        (Noisy, r"a Linen module is given as an instance, such as Noisy\(\), and not as its class"),
        (nnx.Linear(2, 3, rngs=nnx.Rngs(0)), "such as lambda rngs: Linear"),
        (NnxTransformer, "NnxTransformer needs an argument 'width'"),
        (lambda rngs: pure_init, "must return an NNX module, and returned a function"),
        (lambda: pure_init, "takes 0 arguments, and needs 1"),
        (Two(), "the network Two needs an argument 'mask'; a network takes its inputs as one argument"),
        ((pure_init, lambda params, inputs, mask: inputs), "needs an argument 'mask'"),
        ((pure_init, lambda inputs: inputs), "takes 1 arguments, and needs 2"),
        (Silent, "the network Silent has no __call__"),
        (Mute(), "the network Mute has no __call__"),
        (nn.Dropout(0.5), "the network has no params to train"),
        (lambda rngs: nnx.Dropout(0.5, rngs=rngs), "the network has no params to train"),
        ((lambda key: {}, pure_apply), "the network has no params to train"),
        ((lambda key: {"at": [jnp.zeros(2), 3]}, pure_apply), "the param 'at/1' of the network is int32"),
    ],
)  # fmt: skip
def test_what_is_not_a_network_is_told_in_a_sentence(module, says):
    with pytest.raises(UserError, match=says):
        network(module, TOKENS).init(named_key(0))
