"""Networks of many kinds, tiny, each with one example's inputs and the kinds of what it prunes.

Each gives ``OUTPUTS`` logits for an example, or ``WORDS`` for every token of one.
"""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx

OUTPUTS = 3
"""Logits of an example."""

WORDS = 5
"""Logits of a token, and what tokens lie below."""


class Lstm(nn.Module):
    """A recurrent network over [time, features]."""

    @nn.compact
    def __call__(self, inputs):
        hidden = nn.RNN(nn.OptimizedLSTMCell(4))(inputs)
        return nn.Dense(OUTPUTS)(hidden[:, -1])


class Unrolled(nn.Module):
    """A recurrent cell called step by step, without a loop of JAX's."""

    @nn.compact
    def __call__(self, inputs):
        cell = nn.GRUCell(4)
        carry = cell.initialize_carry(jax.random.key(0), inputs[:, 0].shape)
        for step in range(inputs.shape[1]):
            carry, hidden = cell(carry, inputs[:, step])
        return nn.Dense(OUTPUTS)(hidden)


class Block(nn.Module):
    """Attention and a layer, each behind LayerNorm."""

    @nn.compact
    def __call__(self, tokens, deterministic):
        attended = nn.MultiHeadDotProductAttention(2, dropout_rate=0.5)(
            nn.LayerNorm()(tokens), deterministic=deterministic
        )
        tokens = tokens + attended
        return tokens + nn.Dense(4)(nn.gelu(nn.Dense(6)(nn.LayerNorm()(tokens))))


class Vit(nn.Module):
    """A vision transformer: patches, a class token, positions, a block."""

    @nn.compact
    def __call__(self, inputs, *, deterministic=True):
        patches = nn.Conv(4, (2, 2), (2, 2), name="patches")(inputs)
        tokens = patches.reshape(len(inputs), -1, 4)
        first = self.param("first", nn.initializers.normal(), (1, 1, 4))
        tokens = jnp.concatenate([jnp.broadcast_to(first, (len(inputs), 1, 4)), tokens], axis=1)
        tokens = tokens + self.param("positions", nn.initializers.normal(), (1, tokens.shape[1], 4))
        tokens = Block(name="block")(tokens, deterministic)
        return nn.Dense(OUTPUTS, name="output")(nn.LayerNorm()(tokens)[:, 0])


class Convolved(nn.Module):
    """A convolution, a mean over all places, and a layer."""

    layer: nn.Module

    @nn.compact
    def __call__(self, inputs):
        images = nn.relu(self.layer(inputs))
        return nn.Dense(OUTPUTS)(images.mean(axis=range(1, images.ndim - 1)))


class Words(nn.Module):
    """Embeddings of tokens, positions looked up by constants, and a layer for each token."""

    tied: bool

    @nn.compact
    def __call__(self, inputs, is_training):
        embed = nn.Embed(WORDS, 4, name="words")
        tokens = embed(inputs) + nn.Embed(6, 4, name="places")(jnp.arange(inputs.shape[1]))[None]
        tokens = nn.Dropout(0.2)(nn.relu(nn.Dense(4)(tokens)), deterministic=not is_training)
        return embed.attend(tokens) if self.tied else nn.Dense(WORDS)(tokens)


class Scanned(nn.Module):
    """Equal layers as one layer with a leading axis, scanned."""

    @nn.compact
    def __call__(self, inputs, train=False):
        layers = nn.scan(
            Layer, variable_axes={"params": 0, "batch_stats": 0},
            split_rngs={"params": True, "dropout": True}, length=2,
        )  # fmt: skip
        return nn.Dense(OUTPUTS)(layers(train)(inputs, None)[0])


class Layer(nn.Module):
    """A layer of ``Scanned``, with BatchNorm and dropout."""

    train: bool

    @nn.compact
    def __call__(self, inputs, _):
        units = nn.BatchNorm(use_running_average=not self.train)(nn.Dense(4)(inputs))
        return nn.Dropout(0.2, deterministic=not self.train)(nn.relu(units)), None


class Normalised(nn.Module):
    """Weight normalisation: a direction and a length for every unit."""

    @nn.compact
    def __call__(self, inputs):
        units = nn.relu(nn.WeightNorm(nn.Dense(6))(inputs))
        direction = self.param("direction", nn.initializers.lecun_normal(), (6, OUTPUTS))
        length = self.param("length", nn.initializers.ones, (1, OUTPUTS))
        return units @ (length * direction / jnp.linalg.norm(direction, axis=0, keepdims=True))


class Spectral(nn.Module):
    """Spectral normalisation, whose state is of a power iteration."""

    @nn.compact
    def __call__(self, inputs, train):
        images = nn.SpectralNorm(nn.Conv(4, (3, 3)))(inputs, update_stats=train)
        return nn.Dense(OUTPUTS)(images.mean(axis=(1, 2)))


class Partitioned(nn.Module):
    """Params in boxes that say how they lie on devices."""

    @nn.compact
    def __call__(self, inputs):
        kernel = nn.initializers.lecun_normal()
        units = nn.relu(nn.Dense(6, kernel_init=nn.with_partitioning(kernel, (None, "model")))(inputs))
        boxed = nn.with_logical_partitioning(kernel, ("model", None))
        return nn.Dense(OUTPUTS, kernel_init=boxed)(units)


class Noisy(nn.Module):
    """A stream of random numbers and a state of its own, sown values, and a dict of inputs, one unused."""

    @nn.compact
    def __call__(self, inputs, training: bool):
        units = nn.relu(nn.Dense(6, name="first", dtype=jnp.bfloat16)(inputs["numbers"]))
        self.sow("intermediates", "units", units)
        passes = self.variable("counts", "passes", lambda: jnp.zeros((), jnp.int32))
        if training:
            passes.value += 1
            units = units * jax.random.bernoulli(self.make_rng("noise"), 0.5, units.shape)
        return nn.Dense(OUTPUTS, name="shortcut")(units) + nn.Dense(OUTPUTS)(units)


class NnxMlp(nnx.Module):
    """Layers in a list, BatchNorm, dropout, and a constant array."""

    def __init__(self, rngs):
        self.layers = nnx.List([nnx.Linear(5, 6, rngs=rngs), nnx.Linear(6, 4, rngs=rngs)])
        self.norm = nnx.BatchNorm(6, rngs=rngs)
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.shift = jnp.ones(4)
        self.last = nnx.Linear(4, OUTPUTS, rngs=rngs)

    def __call__(self, inputs):
        units = self.dropout(nnx.relu(self.norm(self.layers[0](inputs))))
        return self.last(nnx.relu(self.layers[1](units) + self.shift[None]))


class NnxTransformer(nnx.Module):
    """Embedded tokens, a block of a transformer, a recurrent layer, and a convolution over time."""

    def __init__(self, width, rngs):
        self.embed = nnx.Embed(WORDS, width, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, width, dropout_rate=0.1, decode=False, rngs=rngs)
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.recurrent = nnx.RNN(nnx.GRUCell(width, width, rngs=rngs))
        self.convolution = nnx.Conv(width, width, (3,), rngs=rngs)
        self.output = nnx.Linear(width, WORDS, rngs=rngs)

    def __call__(self, inputs):
        tokens = self.embed(inputs)
        tokens = tokens + self.attention(self.norm(tokens))
        return self.output(self.convolution(self.recurrent(tokens)))


class NnxScanned(nnx.Module):
    """Equal layers as one with a leading axis, scanned, and arrays that are not variables."""

    def __init__(self, rngs):
        self.layers = nnx.vmap(NnxLayer)(rngs.split(2))
        self.items = nnx.List([jnp.ones((1, 4)), nnx.Linear(4, OUTPUTS, rngs=rngs)])

    def __call__(self, inputs):
        scanned = nnx.scan(lambda layer, units: layer(units), in_axes=(0, nnx.Carry), out_axes=nnx.Carry)
        shift, last = self.items
        return last(scanned(self.layers, inputs) + shift)


class NnxLayer(nnx.Module):
    """A layer of ``NnxScanned``, with BatchNorm and dropout."""

    def __init__(self, rngs):
        self.dense = nnx.Linear(4, 4, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, units):
        return self.dropout(nnx.relu(self.norm(self.dense(units))))


def pure_init(key):
    """Params of a network of two functions."""
    first, last = jax.random.split(key)
    return {
        "layers": [{"w": jax.random.normal(first, (5, 6)), "b": jnp.zeros((1, 6))}],
        "w": jax.random.normal(last, (6, OUTPUTS)),
    }


def pure_apply(params, inputs, *, train, key):
    """A layer, noise in training, and a product."""
    (layer,) = params["layers"]
    units = jnp.tanh(inputs @ layer["w"] + layer["b"])
    return (units + 0.1 * train * jax.random.normal(key, units.shape)) @ params["w"]


def floats(*shape):
    """The shape of one example of floats."""
    return jax.ShapeDtypeStruct(shape, jnp.float32)


TOKENS = jax.ShapeDtypeStruct((6,), jnp.int32)
ATTENTION = dict.fromkeys(
    [f"block/MultiHeadDotProductAttention_0/{each}/kernel" for each in ("query", "key", "value", "out")],
    "attention",
)
GATES = [f"i{gate}" for gate in "figo"] + [f"h{gate}" for gate in "figo"]

NETWORKS: dict[str, tuple[Any, Any, dict[str, str]]] = {
    "lstm": (
        Lstm(), floats(4, 3),
        {f"OptimizedLSTMCell_0/{gate}/kernel": "recurrent" for gate in GATES} | {"Dense_0/kernel": "output"},
    ),
    "unrolled": (
        Unrolled(), floats(4, 3),
        {f"GRUCell_0/{gate}/kernel": "recurrent" for gate in ("ir", "iz", "in", "hr", "hz", "hn")}
        | {"Dense_0/kernel": "output"},
    ),
    "vit": (
        Vit(), floats(4, 4, 1),
        ATTENTION | {
            "patches/kernel": "conv", "block/Dense_0/kernel": "fc", "block/Dense_1/kernel": "fc",
            "output/kernel": "output",
        },
    ),
    "depthwise": (
        Convolved(nn.Conv(4, (3, 3), feature_group_count=2)), floats(4, 4, 2),
        {"layer/kernel": "conv", "Dense_0/kernel": "output"},
    ),
    "dilated": (
        Convolved(nn.Conv(4, (3, 3), kernel_dilation=2)), floats(6, 6, 2),
        {"layer/kernel": "conv", "Dense_0/kernel": "output"},
    ),
    "transposed": (
        Convolved(nn.ConvTranspose(4, (3, 3), (2, 2))), floats(4, 4, 2),
        {"layer/kernel": "conv", "Dense_0/kernel": "output"},
    ),
    "one axis": (
        Convolved(nn.Conv(4, (3,))), floats(6, 2), {"layer/kernel": "conv", "Dense_0/kernel": "output"},
    ),
    "three axes": (
        Convolved(nn.Conv(4, (3, 3, 3))), floats(4, 4, 4, 2),
        {"layer/kernel": "conv", "Dense_0/kernel": "output"},
    ),
    "embeddings": (
        Words(tied=False), TOKENS,
        {"words/embedding": "embedding", "Dense_0/kernel": "fc", "Dense_1/kernel": "output"},
    ),
    "tied": (Words(tied=True), TOKENS, {"words/embedding": "embedding", "Dense_0/kernel": "fc"}),
    "scanned": (Scanned(), floats(4), {"ScanLayer_0/Dense_0/kernel": "fc", "Dense_0/kernel": "output"}),
    "weight norm": (Normalised(), floats(5), {"Dense_0/kernel": "fc", "direction": "output"}),
    "spectral norm": (
        Spectral(), floats(4, 4, 2), {"Conv_0/kernel": "conv", "Dense_0/kernel": "output"},
    ),
    "partitioned": (Partitioned(), floats(5), {"Dense_0/kernel": "fc", "Dense_1/kernel": "output"}),
    "noisy": (
        Noisy(), {"numbers": floats(5), "unused": TOKENS},
        {"first/kernel": "fc", "shortcut/kernel": "shortcut", "Dense_0/kernel": "output"},
    ),
    "bfloat16": (
        nn.Sequential(
            [nn.Dense(6, param_dtype=jnp.bfloat16), nn.relu, nn.Dense(OUTPUTS, param_dtype=jnp.bfloat16)]
        ),
        floats(5), {"layers_0/kernel": "fc", "layers_2/kernel": "output"},
    ),
    "nnx mlp": (
        NnxMlp, floats(5),
        {"layers/0/kernel": "fc", "layers/1/kernel": "fc", "last/kernel": "output"},
    ),
    "nnx scanned": (
        NnxScanned, floats(4), {"layers/dense/kernel": "fc", "items/1/kernel": "output"},
    ),
    "nnx transformer": (
        partial(NnxTransformer, width=4), TOKENS,
        {f"attention/{each}/kernel": "attention" for each in ("query", "key", "value", "out")}
        | {f"recurrent/cell/{each}/kernel": "recurrent" for each in ("dense_i", "dense_h")}
        | {"embed/embedding": "embedding", "convolution/kernel": "conv", "output/kernel": "output"},
    ),
    "pure": ((pure_init, pure_apply), floats(5), {"layers/0/w": "fc", "w": "output"}),
}  # fmt: skip
"""By name: what a user gives, shapes of one example, and the kinds of what is counted; others have None."""
