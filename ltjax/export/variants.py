"""The forms of a trained network: dense as it was trained, compacted, and sparse; what each takes to run."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.core.errors import UserError, shown
from ltjax.core.keys import named_key
from ltjax.core.types import Params
from ltjax.export.compaction import Compacted, compact
from ltjax.export.csr import csr_logits
from ltjax.export.folded import Plain, logits, patch_values, plain
from ltjax.export.folded import values as plain_values
from ltjax.models import WIRINGS, Collections, Network, Wiring, make_network
from ltjax.settings.schema import Model

TOLERANCE = 1e-4
"""By how much logits may differ, of the largest of them, and be the same: float32 over some twenty layers."""

PROBES = 8
"""Images on which a wiring is checked."""

Logits = Callable[[Any], Any]
"""Images [batch, height, width, channels] to logits [batch, classes]."""


class Forms(NamedTuple):
    """A network's wiring, its plain form with pruned weights at 0, and that compacted."""

    wiring: Wiring
    plain: Plain
    compacted: Compacted


def make_forms(
    model: Model, image: tuple[int, ...], classes: int, params: Params, collections: Collections
) -> Forms:
    """The forms of trained params; their logits are compared with the network's own.

    Raises:
        UserError: there are none, because the network has no wiring or one that is not its own, or gives
            logits that are not finite.
    """
    if model.name not in WIRINGS:
        raise UserError(f"the network '{model.name}' has no wiring (docs/extending.md)")
    try:
        wiring = WIRINGS[model.name](model)
        whole = plain(wiring, params, collections)
        images = probes(image, PROBES)
        with jax.default_matmul_precision("highest"):
            own = np.asarray(dense_logits(model, image, classes, params, collections)(images))
        with np.errstate(all="ignore"):  # params of a lane that diverged
            forms = Forms(wiring, whole, compact(wiring, whole, image))
            found = patch_values(wiring, forms.compacted.network, images)[-1]
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise UserError(f"the wiring of '{model.name}' is not its network's ({shown(str(error))})") from error
    if not np.isfinite(own).all():
        raise UserError("its logits are not finite")
    if not agree(found, own):
        raise UserError(
            f"the wiring of '{model.name}' is not its network's: "
            f"logits differ by up to {difference(found, own):.2g}"
        )
    return forms


def probes(seen: Any, count: int) -> Any:
    """Random inputs, as standardised ones are: to compare logits and to time, for which any will do.

    Args:
        seen: shapes and dtypes of one example, or the shape alone, of floats; whole numbers are 0.
        count: examples.
    """
    shapes = jax.ShapeDtypeStruct(seen, np.float32) if isinstance(seen, tuple) else seen

    def drawn(leaf: Any) -> np.ndarray:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return np.zeros((count, *leaf.shape), leaf.dtype)
        return np.asarray(jax.random.normal(named_key(0, "probes"), (count, *leaf.shape)), leaf.dtype)

    return jax.tree.map(drawn, shapes)


def agree(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether logits are the same to float tolerance."""
    return difference(found, wanted) <= TOLERANCE * float(np.abs(wanted).max())


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference of two arrays; infinite where their shapes differ."""
    return float(np.abs(found - wanted).max()) if found.shape == wanted.shape else math.inf


def dense_logits(
    model: Model, image: tuple[int, ...], classes: int, params: Params, collections: Collections
) -> Logits:
    """The network's own forward pass in evaluation, in float32 whatever it was trained in, compiled."""
    network = make_network(dataclasses.replace(model, precision="float32"), image, classes)
    return logits_of(network, params, collections)


def logits_of(network: Network, params: Params, collections: Collections) -> Logits:
    """A network's own forward pass in evaluation, compiled."""
    key = named_key(0)  # for dropout, which draws nothing in evaluation
    compiled = jax.jit(lambda params, rest, images: network.apply(params, rest, images, False, key)[0])
    given = jax.device_put((params, collections))
    return lambda images: compiled(*given, images)


def compacted_logits(forms: Forms) -> Logits:
    """The compacted network, compiled."""
    compiled = jax.jit(lambda network, images: logits(forms.wiring, network, images))
    network = jax.device_put(forms.compacted.network)
    return lambda images: compiled(network, images)


def sparse_logits(forms: Forms) -> Logits:
    """The plain network with CSR kernels, by SciPy on the CPU; of NumPy's images."""
    return csr_logits(forms.wiring, forms.plain)


def flops(forms: Forms, image: tuple[int, ...]) -> dict[str, int]:
    """What products of layers take for one image, of each form: two for each weight at each place.

    ``dense`` counts pruned weights too, ``sparse`` the surviving alone; both of the network as trained.
    """
    example = jax.ShapeDtypeStruct((1, *image), np.float32)
    found = {"dense": 0, "compacted": 0, "sparse": 0}
    for form, network in (("dense", forms.plain), ("compacted", forms.compacted.network)):
        shapes = jax.eval_shape(
            lambda leaves, images: plain_values(forms.wiring, leaves, images), network, example
        )
        for step, value in zip(forms.wiring.steps, shapes, strict=True):
            if step.op == "layer":
                kernel, places = network.layers[step.name].kernel, math.prod(value.shape[1:-1])
                found[form] += 2 * kernel.size * places
                if form == "dense":
                    found["sparse"] += 2 * int(np.count_nonzero(kernel)) * places
    return found
