"""What a user's forward pass is called with beside its inputs: whether it trains, and a random key."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ltjax.core.errors import UserError

TRAINS = ("train", "training", "is_training", "train_mode", "is_train")
"""What an argument is called that is True in training."""

EVALUATES = (
    "deterministic", "use_running_average", "eval", "eval_mode", "is_eval", "evaluate", "inference",
    "inference_mode", "test",
)  # fmt: skip
"""What an argument is called that is True in evaluation."""

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def flags(names: tuple[str, ...], train: bool) -> dict[str, Any]:
    """Values of the arguments that say whether a forward pass trains.

    Example:
        >>> flags(("inputs", "deterministic"), train=True)
        {'deterministic': False}
    """
    return {name: train if name in TRAINS else not train for name in names if name in TRAINS + EVALUATES}


def arguments_of(
    function: Callable[..., Any], positional: int, given: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The names of what a forward pass takes beside its inputs, after a check that nothing is left out.

    Args:
        function: the forward pass.
        positional: arguments that it is given by position, such as the inputs.
        given: names that it is given beside those of ``flags``.

    Raises:
        UserError: it cannot be called, takes too few arguments, or needs one that nobody gives.

    Example:
        >>> arguments_of(lambda params, inputs, train=False: inputs, positional=2)
        ('train',)
    """
    if not callable(function):
        raise UserError(f"{_name(function)} has no __call__, which would be its forward pass.")
    parameters = list(_parameters(function).values())
    if not any(each.kind is each.VAR_POSITIONAL for each in parameters) and positional > len(parameters):
        raise UserError(f"{_name(function)} takes {len(parameters)} arguments, and needs {positional}.")
    rest = [each for each in parameters[positional:] if each.kind in NAMED]
    for each in rest:
        if each.default is each.empty and each.name not in (*TRAINS, *EVALUATES, *given):
            raise UserError(
                f"{_name(function)} needs an argument '{each.name}'; a network takes its inputs as one "
                "argument, which may be a dict or a tuple of arrays."
            )
    return tuple(each.name for each in rest)


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether an argument may be given by that name.

    Example:
        >>> takes(lambda rngs: rngs, "rngs"), takes(lambda given: given, "rngs")
        (True, False)
    """
    parameters = _parameters(function)
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    if inspect.isclass(function):  # a metaclass may hide what its classes are made from
        (_, *parameters) = inspect.signature(function.__init__).parameters.items()
        return dict(parameters)
    try:
        return inspect.signature(function).parameters
    except ValueError:  # a built-in function
        return {}


def _name(function: Callable[..., Any]) -> str:
    if inspect.isroutine(function):
        return f"the function {function.__qualname__}"
    return f"the network {function.__name__ if inspect.isclass(function) else type(function).__name__}"
