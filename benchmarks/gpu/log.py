"""What a run of the kit says and finds, on the screen and in files at once: it may be killed at any
time.
"""

import json
import time
from pathlib import Path
from typing import Any

from bbans.images import atomic_write


class Log:
    """`log.txt` and `report.json` of a folder; `found` is what the report holds."""

    def __init__(self, folder: Path, start: float) -> None:
        self.folder, self._start = folder, start
        self.found: dict[str, Any] = {}

    def say(self, text: str) -> None:
        """A line with the seconds since the start."""
        line = f"[{time.monotonic() - self._start:6.1f} s] {text}"
        print(line, flush=True)
        with (self.folder / "log.txt").open("a") as file:
            file.write(line + "\n")

    def keep(self, **facts: Any) -> None:
        """Put facts into the report, by name."""
        self.found.update(facts)
        data = (json.dumps(self.found, indent=1, sort_keys=True, default=str) + "\n").encode()
        atomic_write(self.folder / "report.json", data, overwrite=True)

    def fail(self, what: str, error: BaseException | str) -> None:
        """Something that went wrong and stops nothing: said loudly, and kept."""
        said = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        self.say(f"!!! FAILED: {what}: {said[:2000]}")
        self.keep(failures=[*self.found.get("failures", []), f"{what}: {said[:2000]}"])
