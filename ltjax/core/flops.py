"""Floating-point operations of a function, counted from what JAX traces of it.

Matrix products and convolutions are counted, a multiplication and an addition as two; what is pointwise is
not. XLA's own cost analysis gives NaN on a GPU and counts a loop's body once, however often it runs.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn
from jax.interpreters import partial_eval


def flops(function: Callable[..., Any], *arguments: Any) -> int:
    """The FLOPs of a function's products and convolutions; of the dearest branch where there are several.

    Args:
        function: anything that JAX can trace.
        arguments: arrays, or their shapes (``jax.ShapeDtypeStruct``).

    Example:
        >>> import jax.numpy as jnp
        >>> flops(lambda a, b: jnp.tanh(a @ b), jnp.ones((60, 784)), jnp.ones((784, 300)))
        28224000
    """
    traced = jax.make_jaxpr(function)(*arguments).jaxpr
    # a gradient that nobody asks for, as that of the first layer's images, is traced and never computed
    needed, _ = partial_eval.dce_jaxpr(traced, [True] * len(traced.outvars))
    return _of_jaxpr(needed)


def _of_jaxpr(jaxpr: Jaxpr) -> int:
    return sum(_of_equation(equation) for equation in jaxpr.eqns)


def _of_equation(equation: JaxprEqn) -> int:
    name = equation.primitive.name
    if name in COUNTED:
        return COUNTED[name](equation)
    inner = [_of_jaxpr(each) for each in _inner(equation.params)]
    if name == "cond":
        return max(inner)
    return sum(inner) * (equation.params["length"] if name == "scan" else 1)


def _inner(params: dict[str, Any]) -> Iterator[Jaxpr]:
    """The functions that an equation calls."""
    for leaf in jax.tree.leaves(params, is_leaf=lambda each: isinstance(each, (ClosedJaxpr, Jaxpr))):
        if isinstance(leaf, ClosedJaxpr):
            yield leaf.jaxpr
        elif isinstance(leaf, Jaxpr):
            yield leaf


def _product(equation: JaxprEqn) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    shape = _shape(equation.invars[0])
    return 2 * math.prod(_shape(equation.outvars[0])) * math.prod(shape[axis] for axis in contracted)


def _shape(variable: Any) -> tuple[int, ...]:
    shape: tuple[int, ...] = variable.aval.shape
    return shape


def _convolution(equation: JaxprEqn) -> int:
    """An output value is a sum over a kernel's places and input channels, padding included.

    Where the images are spread out by a stride, as in a gradient, the zeros between them are not counted.
    """
    kernel, numbers = _shape(equation.invars[1]), equation.params["dimension_numbers"].rhs_spec
    each = math.prod(kernel[axis] for axis in numbers[1:])
    spread = math.prod(equation.params["lhs_dilation"])
    return 2 * math.prod(_shape(equation.outvars[0])) * each // spread


COUNTED: dict[str, Callable[[JaxprEqn], int]] = {
    "dot_general": _product,
    "conv_general_dilated": _convolution,
}
