"""Convolution: how it is executed, for one lane and for a batch of lanes, on each kind of device.

On CPU, XLA is fast inside a compiled loop only where a convolution has its canonical layout, which automatic
gradients have not (jax-ml/jax#12868): a step of Conv-2 took 15 s in place of a quarter. So the three
computations of a layer (forward, and the gradients of images and kernel) are written out, each in a layout
that is fast everywhere. Each also says how a batch of lanes computes it under ``vmap``: as one grouped
convolution, lane by lane unrolled, or lane by lane in a loop. Where a run says ``winograd``, the layers that
gain by it are computed so (``models.winograd``). docs/performance.md has the measurements.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from ltjax.models import winograd

LAYOUT = ("NHWC", "HWIO", "NHWC")

BLOCK = 4
"""Images whose share of a kernel's gradient is computed at once on CPU: as many as stay in the cache."""


Pair: TypeAlias = tuple[int, int]


class Window(NamedTuple):
    """How a kernel moves over an image, by height and width; hashable, so that it serves as a cache's key."""

    image: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]


def automatic_forward(window: Window, images: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution, as XLA has it."""
    return lax.conv_general_dilated(images, kernel, window.strides, window.padding, dimension_numbers=LAYOUT)


def canonical_forward(window: Window, images: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution, by what is fast on CPU."""
    return _canonical(images, kernel, window.strides, window.padding)


def _canonical(
    images: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int],
    padding: Sequence[Pair],
    spread: Sequence[int] = (1, 1),
) -> jax.Array:
    """A canonical convolution; by products where images have no more pixels than the kernel.

    XLA is slow there: on one core, 64 images of 2x2 and 512 channels take it 4,976 ms, products 31; of 3x3
    and 256 channels 40 and 18; of 4x4 and 512 channels 188 and 165; larger ones take longer by products.
    """
    small = images.shape[1] * images.shape[2] <= kernel.shape[0] * kernel.shape[1]
    if small and {*strides, *spread} == {1}:
        return _products(images, kernel, padding)
    return lax.conv_general_dilated(
        images, kernel, strides, padding, lhs_dilation=spread, dimension_numbers=LAYOUT
    )


def _padded(images: jax.Array, padding: Sequence[Pair]) -> jax.Array:
    zero = jnp.zeros((), images.dtype)
    return lax.pad(images, zero, [(0, 0, 0), *((*pair, 0) for pair in padding), (0, 0, 0)])


def _products(images: jax.Array, kernel: jax.Array, padding: Sequence[Pair]) -> jax.Array:
    """A convolution of stride 1 as a matrix product for each offset of the kernel."""
    height, width = (
        size + sum(pair) - across + 1
        for size, pair, across in zip(images.shape[1:3], padding, kernel.shape[:2], strict=True)
    )
    padded = _padded(images, padding)
    products = [
        padded[:, top : top + height, left : left + width].reshape(-1, images.shape[3]) @ kernel[top, left]
        for top in range(kernel.shape[0]) for left in range(kernel.shape[1])
    ]  # fmt: skip
    return sum(products[1:], products[0]).reshape(len(images), height, width, kernel.shape[3])


def automatic_images(window: Window, gradient: jax.Array, kernel: jax.Array) -> jax.Array:
    """The gradient of the images, as XLA has it."""
    shape = (len(gradient), *window.image, kernel.shape[2])
    images = jax.ShapeDtypeStruct(shape, gradient.dtype)
    (found,) = jax.linear_transpose(lambda x: automatic_forward(window, x, kernel), images)(gradient)
    return jnp.asarray(found)


def automatic_kernel(window: Window, images: jax.Array, gradient: jax.Array) -> jax.Array:
    """The gradient of the kernel, as XLA has it."""
    kernel = jax.ShapeDtypeStruct((*window.kernel, images.shape[3], gradient.shape[3]), gradient.dtype)
    (found,) = jax.linear_transpose(lambda k: automatic_forward(window, images, k), kernel)(gradient)
    return jnp.asarray(found)


def canonical_images(window: Window, gradient: jax.Array, kernel: jax.Array) -> jax.Array:
    """The gradient of the images: a canonical convolution of the gradient, spread out by the strides.

    The kernel is flipped, its channels swapped, and held back behind a barrier: XLA would fold the swap into
    the convolution, which is then no longer canonical.
    """
    flipped = lax.optimization_barrier(jnp.swapaxes(kernel[::-1, ::-1], 2, 3))
    padding = []
    for axis in (0, 1):
        spread = (gradient.shape[axis + 1] - 1) * window.strides[axis] + 1
        before = window.kernel[axis] - 1 - window.padding[axis][0]
        padding.append((before, window.image[axis] + window.kernel[axis] - 1 - before - spread))
    return _canonical(gradient, flipped, (1, 1), padding, spread=window.strides)


def canonical_kernel(window: Window, images: jax.Array, gradient: jax.Array) -> jax.Array:
    """The gradient of the kernel; where devices share the batch, each sums over its own examples.

    One loop over the batch would first gather the whole of it on every device.
    """
    devices = jax.sharding.get_abstract_mesh().shape.get("data", 1)
    if devices == 1 or len(images) % devices:
        return _kernel(window, images, gradient)
    shares = [array.reshape(devices, -1, *array.shape[1:]) for array in (images, gradient)]
    return jax.vmap(partial(_kernel, window))(*shares).sum(0)


def _kernel(window: Window, images: jax.Array, gradient: jax.Array) -> jax.Array:
    """A matrix product for each offset of the kernel, summed over blocks of images."""
    height, width = gradient.shape[1:3]
    down, across = window.strides
    padded = _padded(images, window.padding)
    block = next(n for n in range(min(BLOCK, len(images)), 0, -1) if len(images) % n == 0)

    def split(array: jax.Array) -> jax.Array:
        return array.reshape(-1, block, *array.shape[1:])

    def add(sums: jax.Array, each: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        seen, back = each[0], each[1].reshape(-1, gradient.shape[3])
        products = [
            seen[:, top : top + (height - 1) * down + 1 : down,
                 left : left + (width - 1) * across + 1 : across].reshape(-1, images.shape[3]).T @ back
            for top in range(window.kernel[0]) for left in range(window.kernel[1])
        ]  # fmt: skip
        return sums + jnp.stack(products), None

    down_and_across = window.kernel[0] * window.kernel[1]
    zeros = jnp.zeros((down_and_across, images.shape[3], gradient.shape[3]), gradient.dtype)
    sums, _ = lax.scan(add, zeros, (split(padded), split(gradient)))
    return sums.reshape(*window.kernel, images.shape[3], gradient.shape[3])


Execution: TypeAlias = Literal["auto", "grouped", "unrolled", "loop"]
"""How a vmapped batch of lanes convolves; ``auto`` goes by the backend."""

Form: TypeAlias = Literal["direct", "winograd"]
"""What is computed: sums of products, or Winograd's fewer products where they are faster."""


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
    images, padding = _within(images, kernel.shape[:2], padding)
    window = Window(images.shape[1:3], kernel.shape[:2], tuple(strides), padding)
    return _operation(window, *_choice())(images, kernel)


def _within(
    images: jax.Array, kernel: Sequence[int], padding: Sequence[Pair]
) -> tuple[jax.Array, tuple[Pair, ...]]:
    """Images and padding of which none reaches the kernel's size: the rest of it is there as zeros.

    A gradient would have to be cropped by what is beyond; XLA on CPU then reads what is not in the array.
    """
    inside = tuple(
        (min(before, across - 1), min(after, across - 1))
        for (before, after), across in zip(padding, kernel, strict=True)
    )
    beyond = [(before - own[0], after - own[1]) for (before, after), own in zip(padding, inside, strict=True)]
    return (_padded(images, beyond) if any(map(any, beyond)) else images), inside


def conv_general_dilated(
    images: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: Any, **rest: Any
) -> jax.Array:
    """``convolve`` under the name and arguments that Flax calls a convolution by.

    What ``convolve`` has not is XLA's own: groups, dilations, a precision, and images of other than two axes.
    """
    plain = images.ndim == 4 and rest.get("precision") is None and rest.get("feature_group_count", 1) == 1
    if plain and {*rest.get("lhs_dilation", ()), *rest.get("rhs_dilation", ())} <= {1}:
        return convolve(images, kernel, strides, padding)
    return lax.conv_general_dilated(images, kernel, strides, padding, **rest)


_EXECUTION: ContextVar[Execution] = ContextVar("execution", default="auto")
_CANONICAL: ContextVar[bool | None] = ContextVar("canonical", default=None)
_FORM: ContextVar[Form] = ContextVar("form", default="direct")


def form_here(chosen: Literal["auto", "direct", "winograd"]) -> Form:
    """The form that ``numerics.convolution`` means for a run that begins on this backend."""
    if chosen == "auto":
        return "winograd" if jax.default_backend() == "cpu" else "direct"
    return chosen


@contextlib.contextmanager
def computed(form: Form) -> Iterator[None]:
    """Convolutions that are traced inside are computed so."""
    token = _FORM.set(form)
    try:
        yield
    finally:
        _FORM.reset(token)


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


def _choice() -> tuple[bool, Form, Execution]:
    """Whether the backend needs the written-out gradients, the form, and how a batch of lanes is executed.

    Lane by lane is the fastest where it was measured: a grouped convolution takes five times as long on CPU
    and 2.5 times on an H100, where a loop takes 1.4 times. No TPU has been measured.
    """
    how, written_out, form = _EXECUTION.get(), _CANONICAL.get(), _FORM.get()
    # one loop over a batch that devices share would first gather the whole of it on each
    if written_out is False or jax.sharding.get_abstract_mesh().shape.get("data", 1) > 1:
        form = "direct"
    if written_out is None:
        written_out = jax.default_backend() == "cpu"
    return written_out, form, "unrolled" if how == "auto" else how


def _functions(written_out: bool, form: Form) -> list[Callable[..., jax.Array]]:
    """The three computations of a layer, each of a window and two arrays."""
    direct = (
        [canonical_forward, canonical_images, canonical_kernel]
        if written_out
        else [automatic_forward, automatic_images, automatic_kernel]
    )
    if form == "direct":
        return direct
    ways = (winograd.forward, winograd.toward_images, winograd.toward_kernel)
    pays = (winograd.forward_pays, winograd.forward_pays, winograd.kernel_pays)
    return [partial(_where_it_pays, *each) for each in zip(ways, pays, direct, strict=True)]


def _where_it_pays(
    way: Callable[..., jax.Array], pays: Callable[..., bool], direct: Callable[..., jax.Array],
    window: Window, one: jax.Array, other: jax.Array,
) -> jax.Array:  # fmt: skip
    """A computation in Winograd's way, if the window is one of his and it is faster so; else directly."""
    same = window.kernel == (3, 3) and window.strides == (1, 1) and window.padding == ((1, 1), (1, 1))
    suits = same and one.dtype == other.dtype == jnp.float32
    return way(one, other) if suits and pays(one.shape, other.shape) else direct(window, one, other)


@functools.cache
def _operation(window: Window, written_out: bool, form: Form, how: Execution) -> Callable[..., jax.Array]:
    """The differentiable convolution of a window."""
    forward, toward_images, toward_kernel = (
        _batched(partial(each, window), how, side_by_side=not written_out)
        for each in _functions(written_out, form)
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


def _batched(
    function: Callable[..., jax.Array], how: Execution, *, side_by_side: bool
) -> Callable[..., jax.Array]:
    """A function of two arrays that computes a batch of lanes as ``how`` says.

    Args:
        function: of images (or their gradient) and kernel, or of images and gradient.
        how: as ``compute.convolution``, resolved.
        side_by_side: whether images that all lanes share are convolved once, with the lanes' kernels side by
            side as output channels; JAX's own batching does so.
    """
    if how == "grouped":
        return function
    single = custom_vmap(function)

    def lanes(size: int, batched: Sequence[bool], *arrays: jax.Array) -> tuple[jax.Array, bool]:
        if side_by_side and not batched[0]:
            return jax.vmap(function, in_axes=(None, 0))(*arrays), True
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
