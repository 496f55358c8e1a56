"""Schemes by name: what is trained, and how weights follow from it.

By default the weights themselves are trained, under their mask. A scheme with ``begin`` trains other
numbers in their place, the scores of each layer's weights: ``begin(key, weights, mask) -> scores``, a leaf or
a pytree, with the round's mask. ``weights(scores, weights, mask, key) -> weights`` are the effective ones,
traced and differentiated by the scores; ``mask(scores, mask) -> mask`` is what tables, checkpoints and
figures have of the lane. The weights that it is given stay as they are. The key is for what is drawn, and
None where what training left is asked for. ``samples`` says over how many draws an evaluation is;
``trains_rest`` whether biases, and all else that is not pruned, are trained beside the scores or stay too.
Adding a scheme takes a frozen dataclass with these, and its ``@SCHEMES.register`` line.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.core.choices import Choice
from ltjax.core.errors import UserError, shown
from ltjax.core.keys import named_key
from ltjax.core.registry import Registry, registry
from ltjax.core.trees import leaves_by_path, map_with_path
from ltjax.core.types import Key, Mask, Params
from ltjax.sparsity import masks
from ltjax.sparsity.ranking import lowest
from ltjax.training.evolve import PROBE


class Scheme(Protocol):
    """How the weights of a layer follow from what is trained in their place."""

    def begin(self, key: Key, weights: jax.Array, mask: jax.Array) -> Any:
        """The scores that a layer begins with."""

    def weights(self, scores: Any, weights: jax.Array, mask: jax.Array, key: Key | None) -> jax.Array:
        """A layer's effective weights."""

    def mask(self, scores: Any, mask: jax.Array) -> jax.Array:
        """A layer's mask, by its scores."""


SCHEMES: Registry[Any] = registry("scheme")


class Learned(NamedTuple):
    """What is trained in place of weights.

    Args:
        scores: of the layers that are pruned, by path.
        rest: all other leaves of the params, by path, where they are trained beside.
    """

    scores: dict[str, Any]
    rest: dict[str, Any]


@SCHEMES.register("weights")
@dataclass(frozen=True)
class Weights:
    """The weights are trained, where the mask keeps them."""


@SCHEMES.register("supermask")
@dataclass(frozen=True)
class Supermask:
    """A chance for each weight to be there is trained, and the weights are not (Zhou et al. 2019).

    A step draws a mask by the chances, 1/2 at first, and the gradient passes through the draw as if it were
    the chance. An evaluation draws ten masks; what is kept of the lane is the mask of the weights that are
    more often there than not.
    """

    rescale: bool = False
    """Whether a layer's weights are scaled by how many there could be for each that is drawn."""

    samples = 10

    def begin(self, key: Key, weights: jax.Array, mask: jax.Array) -> jax.Array:
        """Logits of 0."""
        return jnp.zeros_like(weights)

    def weights(self, scores: jax.Array, weights: jax.Array, mask: jax.Array, key: Key | None) -> jax.Array:
        """The weights under a mask that is drawn."""
        chance = jax.nn.sigmoid(scores)
        drawn = self.mask(scores, mask) if key is None else mask & jax.random.bernoulli(key, chance)
        scale = _per(mask, drawn) if self.rescale else 1
        return weights * scale * straight_through(drawn, jnp.where(mask, chance, 0))

    def mask(self, scores: jax.Array, mask: jax.Array) -> jax.Array:
        """The weights that are more often there than not."""
        return mask & (scores > 0)


@SCHEMES.register("edge_popup")
@dataclass(frozen=True)
class EdgePopup:
    """A score for each weight is trained, the highest are there, and no weight is trained (Ramanujan 2020).

    A layer has as many weights as the round's mask keeps of it, of all its weights whatever that mask is.
    """

    rescale: bool = False
    """Whether a layer's weights are scaled by 1/√k, k the share of them that is kept."""
    signed: bool = False
    """Whether scores are ranked as they are, and not by how far from 0 they lie."""

    def begin(self, key: Key, weights: jax.Array, mask: jax.Array) -> jax.Array:
        """Uniform within 1/√fan-in, as PyTorch draws a layer's weights."""
        most = 1 / math.sqrt(math.prod(weights.shape[:-1]))
        return jax.random.uniform(key, weights.shape, weights.dtype, -most, most)

    def weights(self, scores: jax.Array, weights: jax.Array, mask: jax.Array, key: Key | None) -> jax.Array:
        """The weights whose scores are highest."""
        scale = jnp.sqrt(_per(jnp.ones_like(mask), mask)) if self.rescale else 1
        return weights * scale * straight_through(self.mask(scores, mask), self._ranked(scores))

    def mask(self, scores: jax.Array, mask: jax.Array) -> jax.Array:
        """Where the scores are highest."""
        gone = scores.size - jnp.count_nonzero(mask)
        return ~lowest(gone, self._ranked(scores), jnp.ones_like(mask))

    def _ranked(self, scores: jax.Array) -> jax.Array:
        return scores if self.signed else jnp.abs(scores)


def straight_through(mask: jax.Array, scores: jax.Array) -> jax.Array:
    """A mask as numbers, exactly 0 and 1, or other numbers as they are; their gradient is that of the scores.

    Example:
        >>> mask, scores = jnp.array([True, False]), jnp.array([0.3, 0.2])
        >>> print(straight_through(mask, scores))
        [1. 0.]
        >>> print(jax.grad(lambda scores: straight_through(mask, 2 * scores).sum())(scores))
        [2. 2.]
    """
    return mask.astype(scores.dtype) + (scores - jax.lax.stop_gradient(scores))


def _per(all_of: jax.Array, kept: jax.Array) -> jax.Array:
    """How many there are for each that is kept, which is no subject of the gradient."""
    return jnp.count_nonzero(all_of) / jnp.maximum(jnp.count_nonzero(kept), 1).astype(jnp.float32)


def learns(chosen: Choice) -> bool:
    """Whether a scheme trains other numbers in place of weights."""
    return hasattr(chosen.make(), "begin")


def samples(chosen: Choice) -> int:
    """Over how many draws of the weights an evaluation is."""
    return int(getattr(chosen.make(), "samples", 1))


def begun(chosen: Choice, params: Params, mask: Mask, layers: Collection[str], key: Key) -> Learned | None:
    """What a lane begins to train in place of its weights; None where it trains these.

    Args:
        chosen: the scheme.
        params: the lane's, unmasked.
        mask: the round's.
        layers: the paths of those that can be pruned.
        key: for what is drawn.

    Raises:
        UserError: the scheme is a user's, and failed.
    """
    if not learns(chosen):
        return None
    scheme, leaves, kept = chosen.make(), leaves_by_path(params), leaves_by_path(mask)
    with SCHEMES.guarded(chosen.name):
        scores = {
            path: scheme.begin(
                jax.random.fold_in(key, place), jnp.asarray(leaves[path]), jnp.asarray(kept[path])
            )
            for place, path in enumerate(sorted(layers))
        }
    rest = leaves if getattr(scheme, "trains_rest", False) else {}
    return Learned(scores, {path: leaf for path, leaf in rest.items() if path not in scores})


def weights_of(chosen: Choice, learned: Learned, params: Params, mask: Mask, key: Key | None) -> Params:
    """The effective weights, by what is trained in their place.

    Args:
        chosen: the scheme.
        learned: what is trained.
        params: the weights that are not.
        mask: the round's.
        key: for what is drawn; None for what training left, which is nothing drawn.
    """
    scheme, places = chosen.make(), {path: place for place, path in enumerate(sorted(learned.scores))}

    def of_leaf(path: str, leaf: jax.Array, mask: jax.Array) -> jax.Array:
        if path not in places:
            return learned.rest.get(path, leaf)
        own = None if key is None else jax.random.fold_in(key, places[path])
        found: jax.Array = scheme.weights(learned.scores[path], leaf, mask, own)
        return found

    return map_with_path(of_leaf, params, mask)


def left(chosen: Choice, learned: Learned, params: Params, mask: Mask) -> tuple[Params, Mask]:
    """The effective weights that training left, exactly 0 where pruned, and their mask."""
    scheme = chosen.make()

    def of_leaf(path: str, mask: jax.Array) -> jax.Array:
        return scheme.mask(learned.scores[path], mask) if path in learned.scores else mask

    own = map_with_path(of_leaf, mask)
    return masks.apply(own, weights_of(chosen, learned, params, mask, None)), own


def attempt(chosen: Choice) -> None:
    """Try a scheme on a small layer, before anything is trained.

    Raises:
        UserError: it failed, or its scores, weights or mask are not what they must be.
    """
    scheme, name, key = chosen.make(), f"the scheme {shown(chosen.name)}", named_key(0)
    weights = jax.random.normal(key, PROBE.shape)
    mask = jnp.arange(PROBE.size).reshape(PROBE.shape) < PROBE.kept
    wanted = {"weights": np.dtype(np.float32), "mask": np.dtype(bool)}
    with SCHEMES.guarded(chosen.name):
        scores = scheme.begin(key, weights, mask)
        found = {
            "weights": jax.jit(lambda scores: scheme.weights(scores, weights, mask, key))(scores),
            "mask": jax.jit(lambda scores: scheme.mask(scores, mask))(scores),
        }
        settled = jax.jit(lambda scores: scheme.weights(scores, weights, mask, None))(scores)
    if not all(jnp.issubdtype(jnp.result_type(leaf), jnp.floating) for leaf in jax.tree.leaves(scores)):
        raise UserError(f"the scores of {name} must be floating-point numbers.")
    for what, leaf in (*found.items(), ("weights", settled)):
        if (leaf.dtype, leaf.shape) != (wanted[what], PROBE.shape):
            raise UserError(
                f"the {what} of {name} must be {wanted[what]}, of the shape of the layer's weights, and of "
                f"{list(PROBE.shape)} are {leaf.dtype} {list(leaf.shape)}."
            )
    if np.any(np.asarray(settled)[~np.asarray(found["mask"])] != 0):
        raise UserError(f"the weights of {name} must be 0 where its mask says that they are pruned.")
