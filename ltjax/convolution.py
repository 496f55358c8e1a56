"""Convolution: how it is executed, for one lane and for a batch of lanes, on each kind of device.

On CPU, XLA is fast inside a compiled loop only where a convolution has its canonical layout, which automatic
gradients have not (jax-ml/jax#12868): a step of Conv-2 took 15 s in place of a quarter. So the three
computations of a layer (forward, and the gradients of images and kernel) are written out, each in a layout
that is fast everywhere. Each also says how a batch of lanes computes it under ``vmap``: as one grouped
convolution, lane by lane unrolled, or lane by lane in a loop. docs/performance.md has the measurements.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from ltjax import canonical
from ltjax.canonical import Window

Execution: TypeAlias = Literal["auto", "grouped", "unrolled", "loop"]
"""How a vmapped batch of lanes convolves; ``auto`` goes by the backend."""


def convolve(
    images: jax.Array, kernel: jax.Array, strides: Sequence[int] = (1, 1), padding: Any = "SAME"
) -> jax.Array:
    """Images [n, height, width, in] by a kernel [height, width, in, out]; differentiable in both, once.

    Args:
        images: any float dtype; the kernel's.
        kernel: as above.
        strides: by height and width.
        padding: ``SAME``, ``VALID``, or pairs (before, after) by height and width.
    """
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(images.shape[1:3], kernel.shape[:2], strides, padding)
    padding = tuple((before, after) for before, after in padding)
    window = Window(images.shape[1:3], kernel.shape[:2], tuple(strides), padding)
    return _operation(window, *_choice())(images, kernel)


def conv_general_dilated(
    images: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: Any, **rest: Any
) -> jax.Array:
    """``convolve`` under the name and arguments that Flax calls a convolution by."""
    if rest.get("feature_group_count", 1) != 1 or {*rest["lhs_dilation"], *rest["rhs_dilation"]} != {1}:
        raise ValueError("groups and dilations are not written out here")
    return convolve(images, kernel, strides, padding)


_EXECUTION: ContextVar[Execution] = ContextVar("execution", default="auto")
_CANONICAL: ContextVar[bool | None] = ContextVar("canonical", default=None)


@contextlib.contextmanager
def executed(how: Execution) -> Iterator[None]:
    """Convolutions that are traced inside are executed so."""
    token = _EXECUTION.set(how)
    try:
        yield
    finally:
        _EXECUTION.reset(token)


@contextlib.contextmanager
def automatic() -> Iterator[None]:
    """Convolutions that are traced inside have XLA's own gradients, whatever the backend."""
    token = _CANONICAL.set(False)
    try:
        yield
    finally:
        _CANONICAL.reset(token)


def _choice() -> tuple[bool, Execution]:
    """Whether the backend needs the written-out gradients, and how a batch of lanes is executed there.

    Only CPU has been measured; there a grouped convolution is five times slower than lane by lane. On GPU
    and TPU lane by lane is what costs a lane what it costs alone.
    """
    how, written_out = _EXECUTION.get(), _CANONICAL.get()
    if written_out is None:
        written_out = jax.default_backend() == "cpu"
    return written_out, "unrolled" if how == "auto" else how


@functools.cache
def _operation(window: Window, written_out: bool, how: Execution) -> Callable[..., jax.Array]:
    """The differentiable convolution of a window."""
    written = (canonical.canonical_forward, canonical.canonical_images, canonical.canonical_kernel)
    xlas = (canonical.automatic_forward, canonical.automatic_images, canonical.automatic_kernel)
    forward, toward_images, toward_kernel = (
        _batched(functools.partial(each, window), how) for each in (written if written_out else xlas)
    )

    @jax.custom_vjp
    def operation(images: jax.Array, kernel: jax.Array) -> jax.Array:
        return forward(images, kernel)

    def begin(images: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        return forward(images, kernel), (images, kernel)

    def back(kept: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
        images, kernel = kept
        return toward_images(gradient, kernel), toward_kernel(images, gradient)

    operation.defvjp(begin, back)
    return operation


def _batched(function: Callable[..., jax.Array], how: Execution) -> Callable[..., jax.Array]:
    """A function of arrays that computes a batch of lanes as ``how`` says."""
    if how == "grouped":
        return function
    single = custom_vmap(function)

    def lanes(size: int, batched: Sequence[bool], *arrays: jax.Array) -> tuple[jax.Array, bool]:
        if how == "loop":
            whole = [
                array if has else jnp.broadcast_to(array, (size, *array.shape))
                for array, has in zip(arrays, batched, strict=True)
            ]
            return lax.map(lambda each: single(*each), tuple(whole)), True
        each = [
            single(*(array[lane] if has else array for array, has in zip(arrays, batched, strict=True)))
            for lane in range(size)
        ]
        return jnp.stack(each), True

    single.def_vmap(lanes)
    return single
