"""The errors that people meet. Each one says what was wrong, which rule it broke and what to do about it."""

from dataclasses import dataclass


def printable(text: str, keep: str = "") -> str:
    """A text of unknown origin, fit for a terminal: control characters and the like are escaped.

    Args:
        text: Any text: the name of a file, a card's description.
        keep: Characters that stay although they are not printable, such as a line break.
    """
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


class IonVoltError(Exception):
    """Base of every error that IonVolt raises on purpose; the command line prints it as one line."""


@dataclass(eq=False)
class InputError(IonVoltError):
    """An input that cannot be used.

    Attributes:
        source: The file, id or name of the object that was refused.
        rule: What is wrong with it: the rule it breaks, with the offending value.
        remedy: What the user can do about it.
    """

    source: str
    rule: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.source}: {self.rule}. {self.remedy}"


class UnavailableError(InputError):
    """A service cannot be asked: no key, no client or no connection."""


class ModelError(IonVoltError):
    """A model, its weights or its card cannot be used."""


class DataError(IonVoltError):
    """A data set, table or folder cannot be used."""
