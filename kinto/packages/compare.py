"""What changed between two states of the set, and how much it asks of whoever runs it."""

import re
from dataclasses import dataclass
from enum import IntEnum

from .requirements import Pin, versions


class Bump(IntEnum):
    """Which part of the set's version rises. The rule stands at the head of kinto/CHANGELOG.md."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3


@dataclass(frozen=True)
class Change:
    """A package before and after; no versions where it was or is not in the set."""

    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    named: bool = False

    def __str__(self) -> str:
        return f"{self.name} {', '.join(self.old) or '–'} → {', '.join(self.new) or '–'}"

    def bump(self) -> tuple[Bump, str]:
        """What it means, and why."""
        if not self.old:
            return Bump.MINOR, f"{self.name} is new"
        if not self.new:
            return (Bump.MAJOR, f"{self.name} is gone") if self.named else (Bump.MINOR, f"{self.name}, which came along, is gone")
        # One version for old Pythons and one for new: the oldest pair and the newest.
        pairs = ((self.old[0], self.new[0]), (self.old[-1], self.new[-1]))
        return max((step(self.name, old, new) for old, new in pairs), key=lambda found: found[0])


def step(name: str, old: str, new: str) -> tuple[Bump, str]:
    """How far one version is from another, by the first number that differs."""
    before, after = release(old), release(new)
    words = f"{name} {old} → {new}"
    if old == new:
        return Bump.NONE, f"{words}: the same"
    if before[0] != after[0]:
        # A year is no promise: certifi 2027.1 is compatible with 2026.10.
        if min(before[0], after[0]) >= 2000:
            return Bump.MINOR, f"{words}: another year"
        return Bump.MAJOR, f"{words}: its major changed"
    if before[1] != after[1] and before[0] < 2000:
        return Bump.MINOR, f"{words}: its minor changed"
    return Bump.PATCH, f"{words}: neither its major nor its minor changed"


def release(version: str) -> tuple[int, int]:
    """Major and minor of a version (PEP 440's release segment, without an epoch)."""
    numbers = [int(part) for part in re.match(r"(?:\d+!)?v?(\d+(?:\.\d+)*)", version)[1].split(".")]
    return (*numbers, 0)[:2] if len(numbers) == 1 else tuple(numbers[:2])


def changes(before: list[Pin], after: list[Pin], named: frozenset = frozenset()) -> list[Change]:
    """Every package whose versions differ."""
    old, new = versions(before), versions(after)
    return [
        Change(name, old.get(name, ()), new.get(name, ()), name in named)
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def verdict(found: list[Change], hashes_changed: bool) -> tuple[Bump, list[str]]:
    """The bump of the whole set: the largest of any package's, with the reasons that make it so large."""
    if not found:
        return (Bump.PATCH, ["files of the same versions changed"]) if hashes_changed else (Bump.NONE, [])
    bumps = [change.bump() for change in found]
    largest = max(bump for bump, _ in bumps)
    return largest, [why for bump, why in bumps if bump == largest]
