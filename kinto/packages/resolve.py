"""Resolves the set: one solution for the server and every group together, written as a file of pins for each.

Solving them one by one would let the server take a version that a group cannot live with, and the group then fall back
to some release of ten years ago that asks for nothing.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from . import requirements

# The oldest Python the pins are for: what Kinto itself asks for.
OLDEST_PYTHON = "3.10"
HEADER = "# Made by kinto/bin/upgrade from {source}: what is changed by hand is lost.\n"


class NoSolution(Exception):
    """uv found no versions that go together; its words say why."""


def inputs(kinto: Path) -> list[Path]:
    """The server's requirements, then each group's."""
    return [kinto / "requirements.in", *sorted((kinto / "requirements").glob("*.in"))]


def resolve(kinto: Path, uv: Path, wishes: list[str]) -> None:
    """Writes the pins beside each file of requirements. ``wishes`` are uv's options that say what may change; without
    any, what is pinned already stays as it is."""
    with tempfile.TemporaryDirectory() as folder:
        together = Path(folder) / "together.txt"
        together.write_text("".join(output.read_text() for source in inputs(kinto) if (output := pins_of(source)).exists()))
        compile_pins(uv, inputs(kinto), together, wishes)
        server = []
        for source in inputs(kinto):
            solved = Path(folder) / "solved.txt"
            solved.write_text("")
            compile_pins(uv, [source], solved, ["--constraints", str(together)])
            pins = [pin for pin in requirements.read(solved.read_text()) if not any(covers(one, pin) for one in server)]
            if not server:
                server = pins
            name = source.relative_to(kinto)
            pins_of(source).write_text(HEADER.format(source=name) + "".join(pin.text for pin in pins))


def covers(one: requirements.Pin, other: requirements.Pin) -> bool:
    """Whether who installs the one has the other."""
    return (one.name, one.version) == (other.name, other.version) and one.marker in ("", other.marker)


def pins_of(source: Path) -> Path:
    """The file of pins of a file of requirements."""
    return source.with_suffix(".txt")


def compile_pins(uv: Path, sources: list[Path], output: Path, options: list[str]) -> None:
    command = [str(uv), "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--no-annotate"]
    # uv would look through every Python of the machine for one to ask what it is.
    command += ["--python", sys.executable, "--python-version", OLDEST_PYTHON, "--output-file", str(output), *options]
    done = subprocess.run([*command, *map(str, sources)], capture_output=True, text=True)
    if done.returncode != 0:
        raise NoSolution(done.stderr.strip())
