"""What a check has found."""

from __future__ import annotations

from collections.abc import Callable

from ionvolt.errors import ModelError


class Findings:
    """Collects what does not hold, a line each."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def hold(self, held: bool, words: str) -> None:
        """Something must be so."""
        if not held:
            self.lines.append(words)

    def near(self, value: float, expected: float, tolerance: float, words: str, unit: str = "V") -> None:
        """A number must be another one."""
        self.hold(abs(value - expected) <= tolerance, f"{words} ({value:.6f} {unit}, not {expected:.6f} {unit})")

    def refused(self, ask: Callable[[], object], words: str) -> None:
        """Something must be refused by ``ModelError``."""
        try:
            ask()
        except ModelError:
            return
        except Exception as error:
            words = f"{words} ({type(error).__name__}: {error}), not by ModelError"
        self.lines.append(words)

    def raise_(self) -> None:
        """One error that names all.

        Raises:
            AssertionError: Something did not hold.
        """
        if self.lines:
            raise AssertionError("\n".join(self.lines))
