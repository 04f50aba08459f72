"""The kinds of answers that cannot leave the box, and what stands for each outside."""

from typing import Any

from torch import nn


def inner_kind(answer: Any) -> str:
    """The kind of an answer that must stay in the box; empty if it is a value."""
    if isinstance(answer, type):
        return "class"
    if isinstance(answer, nn.Module):
        return "layer"
    several = isinstance(answer, (list, tuple)) and len(answer) > 0
    if several and all(isinstance(one, nn.Module) for one in answer):
        return "layers"
    return "function" if callable(answer) else ""


def stand_in(kind: str, name: str) -> Any:
    """Something of that kind and name. KeyError for a kind that is none of these."""

    def function() -> None:
        """Stands for the one in the box."""

    function.__name__ = name
    layer = nn.Sequential(nn.Identity())
    return {
        "class": type(name, (), {}),
        "layer": layer,
        "layers": [layer],
        "function": function,
    }[kind]
