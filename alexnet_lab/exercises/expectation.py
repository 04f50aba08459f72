"""`expect`: a number of a notebook held against what its text says, in words."""

from typing import Any

from alexnet_lab.exercises.answers import equal, plain


class Unexpected(AssertionError):
    """A result that differs from what the notebook says; shown without a traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython asks for it
        return [str(self)]


def expect(
    value: Any,
    what: str,
    wanted: Any = True,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    tolerance: float = 1e-5,
) -> None:
    """Hold a result against what the text around it says, and say so in words.

    ``expect(book.total_parameters, "parameters of AlexNet", 60_965_224)``,
    ``expect(accuracy, "accuracy", at_least=0.88)``, ``expect(a < b, "a costs less")``.

    Args:
        value: the result.
        what: what it is; for a truth value, the sentence that holds.
        wanted: what it should equal, floats within `tolerance`.
        at_least, at_most: bounds in place of `wanted`.

    Raises:
        Unexpected: it isn't so; the message says what the reader may have changed.
    """
    value, wanted = plain(value), plain(wanted)
    if at_least is None and at_most is None:
        fits, due = equal(value, wanted, tolerance), _text(wanted)
    else:
        low = at_least if at_least is not None else float("-inf")
        high = at_most if at_most is not None else float("inf")
        fits = low <= value <= high  # never so for NaN
        due = _bounds(at_least, at_most)
    if wanted is True and at_least is None and at_most is None:
        said, found = f"✓ {what}", f"not so here: {what}"
    else:
        said = f"✓ {what}: {due}"
        found = f"{what} is {_text(value)}; this notebook expects {due}"
    if not fits:
        raise Unexpected(
            f"✗ {found}.\n  If you changed a number above, pressed stop, or use a "
            "different machine or version, that may be why; the text here then speaks "
            "of what we found. The next cells run all the same."
        )
    print(said)


def _bounds(low: float | None, high: float | None) -> str:
    if high is None:
        return f"at least {_text(low)}"
    if low is None:
        return f"at most {_text(high)}"
    return f"between {_text(low)} and {_text(high)}"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.6g}"
    return f"{value:,}" if type(value) is int else str(value)
