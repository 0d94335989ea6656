"""The set's own version: VERSION, and CHANGELOG.md, whose newest entry says of which packages it is.

Each entry carries a sum of the pinned lists. So whoever changes a package has to touch the changelog too, and a check
needs neither history nor network to see it.
"""

import hashlib
import re
import sys
from pathlib import Path

from .compare import Bump

ENTRY = re.compile(r"^## (?P<version>\d+\.\d+\.\d+) – (?P<date>\d{4}-\d{2}-\d{2})$", re.MULTILINE)
SUM = re.compile(r"^Packages: `(?P<sum>[0-9a-f]{16})`$", re.MULTILINE)


class Unversioned(Exception):
    """VERSION, CHANGELOG.md and the packages do not belong together."""


def lists(kinto: Path) -> list[Path]:
    """The pinned lists that make the set: what tests alone need is none of it."""
    groups = sorted((kinto / "requirements").glob("*.txt"))
    return [kinto / "requirements.txt", *(path for path in groups if path.stem != "test")]


def test_list(kinto: Path) -> Path:
    """What tests alone need."""
    return kinto / "requirements/test.txt"


def packages_sum(kinto: Path) -> str:
    """Changes with any package, version, marker, hash or group; comments and line ends do not count."""
    found = hashlib.sha256()
    for path in lists(kinto):
        lines = (line.split("#", 1)[0].split() for line in path.read_text().splitlines())
        found.update(f"{path.relative_to(kinto)}\n{[line for line in lines if line]}\n".encode())
    return found.hexdigest()[:16]


def check(kinto: Path) -> str:
    """The set's version. Raises Unversioned, saying what to do."""
    version = (kinto / "VERSION").read_text().strip()
    text = (kinto / "CHANGELOG.md").read_text()
    entry = ENTRY.search(text)
    if entry is None:
        raise Unversioned("kinto/CHANGELOG.md has no entry `## X.Y.Z – YYYY-MM-DD`")
    if entry["version"] != version:
        raise Unversioned(f"kinto/VERSION is {version}, but the newest entry of kinto/CHANGELOG.md is of {entry['version']}")
    following = ENTRY.search(text, entry.end())
    noted = SUM.search(text, entry.end(), following.start() if following else len(text))
    now = packages_sum(kinto)
    if noted is None or noted["sum"] != now:
        raise Unversioned(
            f"the packages are not those of {version}: give them a version of their own, with an entry in "
            f"kinto/CHANGELOG.md that has the line\nPackages: `{now}`\n(kinto/bin/upgrade writes both)"
        )
    return version


def next_version(version: str, bump: Bump) -> str:
    major, minor, patch = (int(number) for number in version.split("."))
    match bump:
        case Bump.MAJOR:
            return f"{major + 1}.0.0"
        case Bump.MINOR:
            return f"{major}.{minor + 1}.0"
        case Bump.PATCH:
            return f"{major}.{minor}.{patch + 1}"
    return version


def write(kinto: Path, version: str, date: str, lines: list[str]) -> None:
    """Makes it the set's version, with an entry of these lines."""
    changelog = kinto / "CHANGELOG.md"
    text = changelog.read_text()
    entry = ENTRY.search(text)
    place = entry.start() if entry else len(text)
    items = "".join(f"- {line}\n" for line in lines)
    written = f"## {version} – {date}\n\nPackages: `{packages_sum(kinto)}`\n\n{items}\n"
    changelog.write_text(text[:place] + written + text[place:])
    (kinto / "VERSION").write_text(version + "\n")


def main() -> None:
    try:
        print(check(Path(__file__).parents[1]))
    except Unversioned as fault:
        sys.exit(f"kinto/bin/version: {fault}")


if __name__ == "__main__":
    main()
