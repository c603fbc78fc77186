"""A reporter that stores its messages."""

from __future__ import annotations


class Told:
    """Stores its messages."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def progress(self, message: str) -> None:
        pass

    def started(self, step: str) -> None:
        pass

    def finished(self, step: str, seconds: float, detail: str) -> None:
        self.steps.append(step)
