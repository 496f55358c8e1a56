"""What a traced function does with its params: which it multiplies, convolves or looks up, in order.

A jaxpr is read once, equation by equation, with a ``Value`` for every variable. Params stay params through
whatever is computed from params alone (casts, transposes, slices, weight normalisation); where such a value
meets what depends on the inputs in a product, a convolution or a gather, its params are used.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal


class Use(NamedTuple):
    """One use of params: their places among all, and the kind of layer that uses them so.

    They are several where a layer's weights are computed from more than one, as in weight normalisation.
    """

    leaves: tuple[int, ...]
    kind: str


class Value(NamedTuple):
    """What is known of a variable.

    Args:
        leaves: params that it is computed from, if it is of params alone; each with whether it came into a
            loop as one of its constants.
        active: whether it depends on the inputs.
        grown: whether it was spread over an axis, as a scale is before it is multiplied.
    """

    leaves: frozenset[tuple[int, bool]] = frozenset()
    active: bool = False
    grown: bool = False


NOTHING, ACTIVE = Value(), Value(active=True)

CALLS = {"dot_general": "fc", "conv_general_dilated": "conv"}
COMBINING = (*CALLS, "concatenate", "dynamic_update_slice", "scatter", "scatter-add")
"""What makes a larger value of its parts without spreading them."""

LOOKUPS = ("gather", "dynamic_slice")


def uses(jaxpr: Jaxpr, params: int, inputs: int) -> list[Use]:
    """The uses of params in the order in which they are computed.

    Args:
        jaxpr: of a function whose arguments are params, then inputs, then whatever else.
        params: how many leaves the params have.
        inputs: how many the inputs have.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> traced = jax.make_jaxpr(lambda w, b, x: x @ w + b)(jnp.ones((3, 2)), jnp.ones(2), jnp.ones(3))
        >>> uses(traced.jaxpr, 2, 1)
        [Use(leaves=(0,), kind='fc')]
    """
    values = [Value(frozenset({(index, False)})) for index in range(params)]
    values += [ACTIVE] * inputs
    values += [NOTHING] * (len(jaxpr.invars) - len(values))
    found: list[Use] = []
    _outputs(jaxpr, values, found)
    return found


def _outputs(jaxpr: Jaxpr, values: Sequence[Value], found: list[Use]) -> list[Value]:
    """What is known of a function's outputs, given its inputs; uses are appended to ``found``."""
    known: dict[Any, Value] = dict(zip(jaxpr.invars, values, strict=True))

    def value(variable: Any) -> Value:
        return NOTHING if isinstance(variable, Literal) else known.get(variable, NOTHING)

    for equation in jaxpr.eqns:
        outputs = _of_equation(equation, [value(each) for each in equation.invars], found)
        known.update(zip(equation.outvars, outputs, strict=True))
    return [value(each) for each in jaxpr.outvars]


def _of_equation(equation: JaxprEqn, values: list[Value], found: list[Use]) -> list[Value]:
    name, params = equation.primitive.name, equation.params
    if name == "scan":
        return _scan(equation, values, found)
    if name == "while":
        return _while(params, values, found)
    if name == "cond":
        return _cond(params, values, found)
    called = [each for each in map(_called, params.values()) if each and len(each.invars) == len(values)]
    if called:
        return _outputs(called[0], values, found)
    _note(name, values, found)
    return [_joined(_spread(equation, values))] * len(equation.outvars)


def _called(param: Any) -> Jaxpr | None:
    if isinstance(param, ClosedJaxpr):
        return param.jaxpr
    return param if isinstance(param, Jaxpr) else None


def _size(variable: Any) -> int:
    size: int = variable.aval.size
    return size


def _spread(equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """The values of an equation, those grown that its output spreads over an axis."""
    if equation.primitive.name in COMBINING:
        return values
    size = max(map(_size, equation.outvars))
    grows = equation.primitive.name == "broadcast_in_dim" or len(values) > 1
    return [
        value._replace(grown=True) if grows and _size(variable) < size else value
        for variable, value in zip(equation.invars, values, strict=True)
    ]


def _note(name: str, values: list[Value], found: list[Use]) -> None:
    """Enter what an equation uses: params beside what depends on the inputs."""
    if name in CALLS and any(each.active for each in values):
        for each in values:
            looped = any(looped for _, looped in each.leaves)
            _enter(each, "recurrent" if looped else CALLS[name], found)
    if name in LOOKUPS and any(each.active for each in values[1:]):
        _enter(values[0], "embedding", found)


def _enter(value: Value, kind: str, found: list[Use]) -> None:
    if value.leaves:
        found.append(Use(tuple(sorted({leaf for leaf, _ in value.leaves})), kind))


def _joined(values: Sequence[Value]) -> Value:
    """What is computed from values: of params alone it has those that are not spread, else all."""
    if any(each.active for each in values):
        return ACTIVE
    whole = [each for each in values if each.leaves and not each.grown]
    sources = whole or [each for each in values if each.leaves]
    leaves = frozenset[tuple[int, bool]]().union(*(each.leaves for each in sources))
    return Value(leaves, grown=bool(sources) and not whole)


def _either(one: Value, other: Value) -> Value:
    """What is known of a variable that has one value or the other."""
    if one.active or other.active:
        return ACTIVE
    return Value(one.leaves | other.leaves, grown=one.grown or other.grown)


def _looped(values: Sequence[Value]) -> list[Value]:
    """The constants of a loop."""
    return [each._replace(leaves=frozenset((leaf, True) for leaf, _ in each.leaves)) for each in values]


def _scan(equation: JaxprEqn, values: list[Value], found: list[Use]) -> list[Value]:
    body: Jaxpr = equation.params["jaxpr"].jaxpr
    # what is scanned has an axis less in the body; JAX 0.11 has no numbers of the rest in the params any more
    carries = len(body.outvars) - _scanned(equation.outvars, body.outvars)
    ends = len(values) - _scanned(equation.invars, body.invars)
    constant, carry, along = values[: ends - carries], values[ends - carries : ends], values[ends:]
    return _loop(body, constant, carry, along, found)


def _scanned(outside: Sequence[Any], inside: Sequence[Any]) -> int:
    """How many variables a scan goes along."""
    pairs = zip(outside, inside, strict=True)
    return sum(len(one.aval.shape) > len(other.aval.shape) for one, other in pairs)


def _while(params: dict[str, Any], values: list[Value], found: list[Use]) -> list[Value]:
    before, consts = params["cond_nconsts"], params["body_nconsts"]
    constant, carry = values[before : before + consts], values[before + consts :]
    _outputs(params["cond_jaxpr"].jaxpr, [*values[:before], *carry], found)
    return _loop(params["body_jaxpr"].jaxpr, constant, carry, [], found)


def _loop(
    body: Jaxpr, constant: list[Value], carry: list[Value], along: list[Value], found: list[Use]
) -> list[Value]:
    """A loop, walked through until what is known of its carry stays.

    Where the inputs are carried, its constants are recurrent.
    """
    while True:
        here: list[Use] = []
        looped = _looped(constant) if any(each.active for each in carry) else constant
        outputs = _outputs(body, [*looped, *carry, *along], here)
        after = [_either(*pair) for pair in zip(carry, outputs[: len(carry)], strict=True)]
        if after == carry:
            found += here
            return [*carry, *outputs[len(carry) :]]
        carry = after


def _cond(params: dict[str, Any], values: list[Value], found: list[Use]) -> list[Value]:
    branches = [_outputs(each.jaxpr, values[1:], found) for each in params["branches"]]
    outputs = branches[0]
    for branch in branches[1:]:
        outputs = [_either(*pair) for pair in zip(outputs, branch, strict=True)]
    return [ACTIVE] * len(outputs) if values[0].active else outputs
