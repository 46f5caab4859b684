"""Progress of long loops: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Report steps of a loop to a stream.

    On a terminal a `rich` bar; otherwise one line every `every_seconds`, so that a log stays short.

    Args:
        total: number of steps.
        label: what is counted.
        start: steps already done, for a resumed run.
        every_seconds: least time between plain lines.
        stream: standard error by default.
    """

    def __init__(
        self, total: int, label: str, *, start: int = 0, every_seconds: float = 10.0, stream: TextIO | None = None
    ) -> None:
        self.total, self.label, self.every_seconds = total, label, every_seconds
        self.stream = stream or sys.stderr
        self._last = time.monotonic()
        self._bar = None
        if self.stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            self._bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(file=self.stream),
            )
            self._task = self._bar.add_task(label, total=total, completed=start, note="")

    def __enter__(self) -> Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, done: int, note: str = "") -> None:
        """Say that `done` steps of the total are finished."""
        if self._bar:
            self._bar.update(self._task, completed=done, note=note)
        elif time.monotonic() - self._last >= self.every_seconds or done == self.total:
            self._last = time.monotonic()
            print(f"{self.label}: {done} of {self.total} {note}".rstrip(), file=self.stream, flush=True)
