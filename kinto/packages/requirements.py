"""Reads pinned requirements: files that uv writes and pip installs with ``--require-hashes``."""

import re
from dataclasses import dataclass, field

PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==(?P<version>[^\s;]+)\s*(?:;\s*(?P<marker>.+))?")


@dataclass(frozen=True)
class Pin:
    """One requirement: a package at one version, for the machines its marker names (empty: for all)."""

    name: str
    version: str
    marker: str
    hashes: frozenset = field(compare=False)
    text: str = field(compare=False, repr=False)


def read(text: str) -> list[Pin]:
    """Every requirement of a file, in its order. Raises ValueError for one that is not pinned."""
    pins = []
    for block in blocks(text):
        joined = " ".join(line.split(" #", 1)[0].rstrip("\\ ") for line in block if not line.lstrip().startswith("#"))
        requirement, *hashes = re.split(r"\s+--hash=", joined)
        match = PIN.fullmatch(requirement.strip())
        if match is None:
            raise ValueError(f"{requirement.strip()!r} is not pinned: NAME==VERSION is")
        pins.append(
            Pin(normal(match["name"]), match["version"], (match["marker"] or "").strip(),
                frozenset(one.strip() for one in hashes), "\n".join(block) + "\n")
        )
    return pins


def blocks(text: str) -> list[list[str]]:
    """The lines of each requirement with what belongs to it: a new one begins where a line is not indented."""
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            if not found:
                raise ValueError(f"{line.strip()!r} belongs to no requirement")
            found[-1].append(line)
        else:
            found.append([line])
    return found


def versions(pins: list[Pin]) -> dict[str, tuple[str, ...]]:
    """The versions of each package; some have one for old Pythons and one for new ones."""
    found = {}
    for pin in pins:
        found.setdefault(pin.name, set()).add(pin.version)
    return {name: tuple(sorted(all_of_it, key=by_number)) for name, all_of_it in found.items()}


def by_number(version: str) -> list[tuple[bool, int, str]]:
    """Sorts 9.0 before 10.0."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"[.!+_-]", version)]


def named(text: str) -> list[str]:
    """The packages that a file of requirements (not of pins) asks for, as pins spell them."""
    lines = (line.split("#", 1)[0].strip() for line in text.splitlines())
    names = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line) for line in lines if line)
    return [normal(name[0]) for name in names if name]


def normal(name: str) -> str:
    """A package's name in the one spelling that PyPI compares by (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
