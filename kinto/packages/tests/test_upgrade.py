"""Upgrades with the real uv, among packages that are made here: no network is needed."""

import hashlib
import os
import shutil
import signal
import subprocess
import zipfile
from pathlib import Path

import pytest

from packages import compare, requirements, resolve, upgrade, version

KINTO = Path(__file__).parents[2]
UV = KINTO.parent / ".tools/kinto-tools/bin/uv"


def wheel(folder: Path, name: str, number: str, needs: tuple[str, ...] = ()) -> None:
    info = f"{name}-{number}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{number}-py3-none-any.whl", "w") as file:
        required = "".join(f"Requires-Dist: {need}\n" for need in needs)
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n{required}")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


class Set:
    """A server `shop` that needs `till`, a group `parcels` that wants an old `till`, and their index."""

    def __init__(self, folder: Path):
        self.index, self.kinto = folder / "index", folder / "kinto"

    def make(self) -> None:
        self.index.mkdir()
        (self.kinto / "requirements").mkdir(parents=True)
        wheel(self.index, "shop", "1.0.0", ("till",))
        wheel(self.index, "till", "1.0.0")
        wheel(self.index, "parcels", "1.0.0", ("till<2",))
        (self.kinto / "requirements.in").write_text("# The server.\nshop\n")
        (self.kinto / "requirements/parcels.in").write_text("parcels\n")
        (self.kinto / "CHANGELOG.md").write_text("# Changes\n\n")
        resolve.resolve(self.kinto, UV, [])
        version.write(self.kinto, "1.0.0", "2026-01-01", ["The first."])

    def upgrade(self, *given: str, tests: tuple[str, ...] = ("true",)) -> int:
        return upgrade.main([*given, "--kinto", str(self.kinto), "--uv", str(UV)], list(tests))

    def state(self) -> dict:
        return {path: path.read_bytes() for path in self.kinto.rglob("*") if path.is_file()}

    def pins(self, group: str = "") -> dict:
        path = self.kinto / (f"requirements/{group}.txt" if group else "requirements.txt")
        return requirements.versions(requirements.read(path.read_text()))


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        made = Set(tmp_path_factory.mktemp("first"))
        offline(patch, made)
        made.make()
    return made


@pytest.fixture
def made(first, tmp_path, monkeypatch):
    """A copy of the first set, for each test to change."""
    made = Set(tmp_path)
    shutil.copytree(first.index.parent, tmp_path, dirs_exist_ok=True)
    offline(monkeypatch, made)
    return made


def offline(patch, made: Set) -> None:
    variables = {"UV_NO_INDEX": "1", "UV_OFFLINE": "1", "UV_FIND_LINKS": str(made.index), "UV_CACHE_DIR": str(made.index.parent / "cache")}
    for name, value in variables.items():
        patch.setenv(name, value)


def test_the_server_and_its_groups_are_resolved_together(made):
    wheel(made.index, "till", "2.0.0")
    assert made.upgrade("--all") == 0
    assert made.pins() == {"shop": ("1.0.0",), "till": ("1.0.0",)}
    assert made.pins("parcels") == {"parcels": ("1.0.0",)}


def test_one_package_is_upgraded_and_the_others_stay(made, capsys):
    wheel(made.index, "shop", "1.1.0", ("till",))
    wheel(made.index, "till", "1.0.1")
    assert made.upgrade("shop") == 0
    assert made.pins() == {"shop": ("1.1.0",), "till": ("1.0.0",)}
    assert version.check(made.kinto) == "1.1.0"
    said = capsys.readouterr().out
    assert "shop 1.0.0 → 1.1.0" in said
    assert "requirements.txt: 2 hashes, 1 of them new, 1 gone" in said
    assert "1.0.0 → 1.1.0, a minor change" in said


def test_what_the_tests_alone_need_is_upgraded_and_leaves_the_sets_version(made, capsys):
    (made.kinto / "requirements/test.in").write_text("probe\n")
    wheel(made.index, "probe", "1.0.0")
    resolve.resolve(made.kinto, UV, [])
    wheel(made.index, "probe", "2.0.0")
    for wish in ("probe==2.0.0", "--all"):
        assert made.upgrade(wish) == 0
        assert made.pins("test") == {"probe": ("2.0.0",)} and version.check(made.kinto) == "1.0.0"
    said = capsys.readouterr().out
    assert "probe 1.0.0 → 2.0.0 (the tests' alone)" in said and "the set stays 1.0.0" in said
    wheel(made.index, "probe", "3.0.0")
    assert made.upgrade("--all", tests=("false",)) == 1
    assert made.pins("test") == {"probe": ("2.0.0",)}


def test_a_new_pin_has_the_hash_of_the_file_itself(made):
    wheel(made.index, "shop", "1.0.1", ("till",))
    assert made.upgrade("shop==1.0.1") == 0
    (pin,) = [pin for pin in requirements.read((made.kinto / "requirements.txt").read_text()) if pin.name == "shop"]
    assert pin.hashes == {"sha256:" + hashlib.sha256((made.index / "shop-1.0.1-py3-none-any.whl").read_bytes()).hexdigest()}
    assert version.check(made.kinto) == "1.0.1"


def test_all_is_as_it_was_when_the_tests_fail(made, capsys):
    wheel(made.index, "shop", "2.0.0", ("till",))
    before = made.state()
    assert made.upgrade("--all", tests=("false",)) == 1
    assert made.state() == before
    assert "the tests fail" in capsys.readouterr().err


def test_the_tests_see_the_new_packages(made):
    wheel(made.index, "shop", "2.0.0", ("till",))
    assert made.upgrade("shop", tests=("grep", "-q", "shop==2.0.0", "kinto/requirements.txt")) == 0
    assert version.check(made.kinto) == "2.0.0"


def test_the_tests_are_those_of_every_group(made):
    assert upgrade.tests(made.kinto) == ["make", "kinto-test", "KINTO_GROUPS=parcels"]
    assert {"attachment", "emailer", "signer"} <= set(upgrade.tests(KINTO)[-1].removeprefix("KINTO_GROUPS=").split())


@pytest.fixture
def signals():
    """What an upgrade does with signals is for its own process, and not for those of the tests after it."""
    before = {number: signal.getsignal(number) for number in upgrade.EARLY}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("early", ["INT", "TERM", "HUP"])
def test_who_ends_it_early_ends_the_tests_and_finds_all_as_it_was(made, signals, capsys, early):
    wheel(made.index, "shop", "2.0.0", ("till",))
    before = made.state()
    stopped = made.index / "stopped"
    # As make has them: what they began is a process of its own, which stops its servers when it is told to.
    server = f"trap 'touch {stopped}; exit' TERM; kill -{early} {os.getpid()}; for _ in $(seq 600); do sleep 0.1; done"
    with pytest.raises(SystemExit):
        made.upgrade("--all", tests=("sh", "-c", 'sh -c "$0"; true', server))
    assert stopped.exists()
    assert made.state() == before
    assert "all is as it was" in capsys.readouterr().err


def test_who_skips_the_tests_is_warned(made, capsys):
    wheel(made.index, "shop", "1.0.1", ("till",))
    assert made.upgrade("--all", "--skip-tests", tests=("false",)) == 0
    assert "NOT TESTED" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wish", "why"), [("shop==9.9", "shop==9.9"), ("shelf", "the set has no package shelf"), ("till==2.0.0", "till")]
)
def test_what_cannot_be_had_changes_nothing_and_says_why(made, capsys, wish, why):
    wheel(made.index, "till", "2.0.0")
    before = made.state()
    assert made.upgrade(wish) == 1
    assert made.state() == before
    assert why in capsys.readouterr().err


def test_nothing_newer_changes_nothing(made, capsys):
    before = made.state()
    assert made.upgrade("--all") == 0
    assert made.state() == before
    assert "nothing to change" in capsys.readouterr().out


def test_packages_without_a_version_of_their_own_are_noticed(made, capsys):
    path = made.kinto / "requirements/parcels.txt"
    path.write_text(path.read_text().replace("sha256:", "sha256:0"))
    with pytest.raises(version.Unversioned, match="the packages are not those of 1.0.0"):
        version.check(made.kinto)
    assert made.upgrade("--all") == 1
    assert "the packages are not those of 1.0.0" in capsys.readouterr().err


def test_a_version_that_is_not_the_changelogs_is_noticed(made):
    (made.kinto / "VERSION").write_text("1.0.1\n")
    with pytest.raises(version.Unversioned, match="VERSION is 1.0.1, but the newest entry .* is of 1.0.0"):
        version.check(made.kinto)


def test_comments_are_no_change(made):
    path = made.kinto / "requirements.txt"
    path.write_text("# A word more.\n" + path.read_text())
    assert version.check(made.kinto) == "1.0.0"


def test_this_set_has_its_version():
    found = subprocess.run([KINTO / "bin/version"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == (KINTO / "VERSION").read_text().strip()


def test_each_package_this_set_names_is_pinned_with_hashes():
    for source in (KINTO / "requirements.in", *(KINTO / "requirements").glob("*.in")):
        pins = requirements.read(source.with_suffix(".txt").read_text())
        assert set(requirements.named(source.read_text())) <= {pin.name for pin in pins}
        assert all(pin.hashes for pin in pins)


@pytest.mark.parametrize(
    ("old", "new", "bump"),
    [
        (("1.2.3",), ("1.2.4",), compare.Bump.PATCH),
        (("1.2.3",), ("1.3.0",), compare.Bump.MINOR),
        (("1.2.3",), ("2.0.0",), compare.Bump.MAJOR),
        (("2.0.0",), ("1.9.0",), compare.Bump.MAJOR),
        (("3",), ("3.1",), compare.Bump.MINOR),
        (("2026.10.18",), ("2026.11.2",), compare.Bump.PATCH),
        (("2026.10.18",), ("2027.1.1",), compare.Bump.MINOR),
        (("9.0", "10.0"), ("9.1", "10.0"), compare.Bump.MINOR),
        (("9.0", "10.0"), ("9.0", "11.0"), compare.Bump.MAJOR),
        (("1.0",), ("1.0.post1",), compare.Bump.PATCH),
        ((), ("1.0",), compare.Bump.MINOR),
    ],
)
def test_the_number_that_differs_decides(old, new, bump):
    assert compare.Change("package", old, new).bump()[0] is bump


def test_who_is_named_may_not_leave_in_silence():
    assert compare.Change("kinto-wizard", ("6.0",), (), named=True).bump()[0] is compare.Bump.MAJOR
    assert compare.Change("unidecode", ("1.4",), ()).bump()[0] is compare.Bump.MINOR


def test_the_largest_change_is_the_sets_and_says_why():
    found = [compare.Change("till", ("1.0.0",), ("1.0.1",)), compare.Change("shop", ("1.0.0",), ("2.0.0",))]
    bump, reasons = compare.verdict(found, True)
    assert (bump, reasons) == (compare.Bump.MAJOR, ["shop 1.0.0 → 2.0.0: its major changed"])
    assert compare.verdict([], True)[0] is compare.Bump.PATCH
    assert compare.verdict([], False)[0] is compare.Bump.NONE


def test_what_is_not_pinned_is_no_list():
    with pytest.raises(ValueError, match="'shop>=1' is not pinned"):
        requirements.read("shop>=1 \\\n    --hash=sha256:00\n")
