"""What importing costs, over what it stands on: each statement in new processes, in interleaved rounds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter


def _run(*arguments: str) -> Callable[[], float]:
    # Installed packages have their byte code beside them.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def once() -> float:
        started = perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
        return (perf_counter() - started) * 1e3

    return once


def report(rounds: int) -> str:
    """Medians in milliseconds, and what each adds to the one it is compared with."""
    script = str(Path(sys.executable).with_name("redmodel"))
    contenders = {
        "python -c pass": _run("-c", "pass"),
        "import pydantic": _run("-c", "from pydantic import BaseModel"),
        "from redmodel import Database, Model": _run("-c", "from redmodel import Database, Model"),
        "redmodel --help": _run(script, "--help"),
    }
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, once in contenders.items():
            samples[name].append(once())
    millis = {name: median(values) for name, values in samples.items()}
    library = millis["from redmodel import Database, Model"] - millis["import pydantic"]
    command = millis["redmodel --help"] - millis["python -c pass"]
    lines = ["| statement | ms |", "|---|---:|", *[f"| `{name}` | {ms:.0f} |" for name, ms in millis.items()]]
    lines.append("")
    lines.append(f"`from redmodel import Database, Model` over `import pydantic`: {library:.0f} ms (to reach: ≤ 80).")
    lines.append(f"`redmodel --help` over `python -c pass`: {command:.0f} ms (to reach: ≤ 150).")
    return "\n".join(lines)
