"""`kinto/bin/upgrade`; its head says how it is called."""

import argparse
import contextlib
import datetime
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import compare, requirements, resolve, version


# What ends an upgrade early, and the seconds that the tests then have to stop their servers.
EARLY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 120


class Refused(Exception):
    """Nothing was changed; the words say why, and what to do."""


def tests(kinto: Path) -> list[str]:
    """The command that tries out the server and every group: who upgrades one that is not tried out knows nothing of it."""
    groups = " ".join(source.stem for source in resolve.inputs(kinto)[1:])
    return ["make", "kinto-test", f"KINTO_GROUPS={groups}"]


def passes(command: list[str], folder: Path) -> bool:
    """Whether it ends well. When this is ended early, so is all that the command began, before anything else is done."""

    def heed() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, EARLY)

    # A signal waits until it is known whom to end.
    signal.pthread_sigmask(signal.SIG_BLOCK, EARLY)
    try:
        # In a session of its own, so that all of it can be signalled and not make alone.
        trial = subprocess.Popen(command, cwd=folder, start_new_session=True, preexec_fn=heed)
    except OSError:
        heed()
        raise
    try:
        heed()
        return trial.wait() == 0
    except BaseException:
        end_group(trial)
        raise


def end_group(trial: subprocess.Popen) -> None:
    """Ends a command and all it began: who is asked stops the servers first, who does not listen is killed."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(trial.pid, signal.SIGTERM)
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            trial.poll()
            os.killpg(trial.pid, 0)
            time.sleep(0.1)
        os.killpg(trial.pid, signal.SIGKILL)


class Files:
    """What an upgrade writes to, and what was in it before."""

    def __init__(self, kinto: Path):
        paths = [resolve.pins_of(source) for source in resolve.inputs(kinto)]
        paths += [kinto / "VERSION", kinto / "CHANGELOG.md"]
        self.before = {path: path.read_bytes() if path.exists() else None for path in paths}

    def restore(self) -> None:
        for path, content in self.before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)


def pins(kinto: Path) -> dict[Path, list[requirements.Pin]]:
    """The pins of each list of the set."""
    return {path.relative_to(kinto): requirements.read(path.read_text()) for path in version.lists(kinto)}


def pins_of_tests(kinto: Path) -> list[requirements.Pin]:
    """What the tests alone need: it is upgraded with the set, and is none of it."""
    path = version.test_list(kinto)
    return requirements.read(path.read_text()) if path.exists() else []


def wishes(names: list[str], known: set[str]) -> list[str]:
    """uv's options for what may change."""
    options = []
    for wish in names:
        name, equal, wanted = wish.partition("==")
        name = requirements.normal(name)
        if name not in known:
            raise Refused(f"the set has no package {name}; a new one is written into kinto/requirements.in, or a group's list")
        options += ["--upgrade-package", f"{name}{equal}{wanted}"]
    return options


def upgrade(kinto: Path, uv: Path, names: list[str], today: str) -> bool:
    """Writes the new pins, version and changelog; whether anything changed. Prints what, and what it means."""
    current = version.check(kinto)
    before, tests_before = pins(kinto), pins_of_tests(kinto)
    known = {pin.name for found in (*before.values(), tests_before) for pin in found}
    options = ["--upgrade"] if not names else wishes(names, known)
    resolve.resolve(kinto, uv, options)
    after = pins(kinto)
    named = frozenset(name for source in resolve.inputs(kinto) for name in requirements.named(source.read_text()))
    old, new = (sum(found.values(), []) for found in (before, after))
    found = compare.changes(old, new, named)
    other_hashes = [name for name in after if hashes(before.get(name, [])) != hashes(after[name])]
    bump, reasons = compare.verdict(found, bool(other_hashes))
    tests_after = pins_of_tests(kinto)
    found_in_tests = compare.changes(tests_before, tests_after)
    for change in found_in_tests:
        print(f"  {change} (the tests' alone)")
    if bump is compare.Bump.NONE and (found_in_tests or hashes(tests_before) != hashes(tests_after)):
        print(f"\nthe set stays {current}: only what its tests need changed")
        return True
    if bump is compare.Bump.NONE:
        print("nothing to change: the packages are the newest that go together" if not names else "nothing to change")
        return False
    show(before, after, found)
    following = version.next_version(current, bump)
    print(f"\nthe set: {current} → {following}, a {bump.name.lower()} change:")
    print("".join(f"  {reason}\n" for reason in reasons), end="")
    if bump is not compare.Bump.MAJOR:
        print("If a setting, the system or a service has to change with it, it is a major one: say so in VERSION and CHANGELOG.md.")
    version.write(kinto, following, today, [str(change) for change in found] or ["The same versions, with other files."])
    return True


def hashes(found: list[requirements.Pin]) -> set[str]:
    return {one for pin in found for one in pin.hashes}


def show(before: dict, after: dict, found: list[compare.Change]) -> None:
    for change in found:
        print(f"  {change}")
    for name in after:
        old, new = hashes(before.get(name, [])), hashes(after[name])
        if old != new:
            print(f"  {name}: {len(new)} hashes, {len(new - old)} of them new, {len(old - new)} gone")


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="kinto/bin/upgrade")
    parser.add_argument("packages", nargs="*", metavar="PACKAGE[==VERSION]")
    parser.add_argument("--all", action="store_true", help="every package, as far as they go together")
    parser.add_argument("--skip-tests", action="store_true", help="leave the tests to whoever reviews the change")
    parser.add_argument("--kinto", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--uv", type=Path, required=True, help=argparse.SUPPRESS)
    found = parser.parse_args(given)
    if found.all == bool(found.packages):
        parser.error("name packages, or --all")
    return found


def end_early(number: int, _frame: object) -> None:
    # Once is enough: what follows is not to be disturbed.
    for early in EARLY:
        signal.signal(early, signal.SIG_IGN)
    sys.exit(128 + number)


def main(given: list[str], trial: list[str] | None = None) -> int:
    asked = arguments(given)
    # Whoever ends it early finds all as it was, too.
    for early in EARLY:
        signal.signal(early, end_early)
    files = Files(asked.kinto)
    try:
        today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        if not upgrade(asked.kinto, asked.uv, asked.packages, today):
            files.restore()
            return 0
        if asked.skip_tests:
            print("\nNOT TESTED: run `make kinto-test` before this goes anywhere", file=sys.stderr)
        elif not passes(trial or tests(asked.kinto), asked.kinto.parent):
            files.restore()
            print("\nkinto/bin/upgrade: the tests fail with these packages, so all is as it was", file=sys.stderr)
            return 1
    except (Refused, resolve.NoSolution, version.Unversioned) as fault:
        files.restore()
        print(f"kinto/bin/upgrade: {fault}", file=sys.stderr)
        return 1
    except BaseException:
        files.restore()
        print("\nkinto/bin/upgrade: it did not come to its end, so all is as it was", file=sys.stderr)
        raise
    print("\nReview it with `git diff kinto`, complete the entry in kinto/CHANGELOG.md, and commit it.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
