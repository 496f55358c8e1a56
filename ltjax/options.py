"""How the command lines write what tyro has no way to write of itself: sweeps."""

import ast
from typing import Any

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

Sweep = dict[str, tuple[Any, ...]]


def registry() -> ConstructorRegistry:
    """What tyro needs to know to read and show a sweep: ``--sweep train.learning_rate=1e-4,3e-4``."""
    rules = ConstructorRegistry()

    @rules.primitive_rule
    def sweep(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Sweep] | None:
        if info.type != Sweep:
            return None
        return PrimitiveConstructorSpec(
            nargs="*",
            metavar="SETTING=VALUE,VALUE…",
            instance_from_str=read_sweep,
            is_instance=lambda value: isinstance(value, dict),
            str_from_instance=show_sweep,
        )

    return rules


def read_sweep(texts: list[str]) -> Sweep:
    """The sweep that ``SETTING=VALUE,VALUE…`` arguments say.

    Example:
        >>> read_sweep(["train.learning_rate=1e-4,3e-4", "model.widths=(25,9),(50,17)"])
        {'train.learning_rate': (0.0001, 0.0003), 'model.widths': ((25, 9), (50, 17))}
    """
    found = {}
    for text in texts:
        name, separator, values = text.partition("=")
        if not separator or not values:
            raise ValueError(f"{text!r} is no SETTING=VALUE,VALUE…")
        found[name.replace("-", "_")] = _values(values)
    return found


def _values(text: str) -> tuple[Any, ...]:
    try:
        return tuple(ast.literal_eval(f"({text},)"))  # numbers, None, tuples
    except (ValueError, SyntaxError):
        return tuple(text.split(","))  # names


def show_sweep(sweep: Sweep) -> list[str]:
    """The arguments that say a sweep: the inverse of ``read_sweep``."""
    return [f"{name}={','.join(str(value).replace(' ', '') for value in values)}"
            for name, values in sweep.items()]  # fmt: skip
