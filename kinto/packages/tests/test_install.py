"""What bin/install refuses. The packages are made here, and pip finds nothing else: no network is needed."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

KINTO = Path(__file__).parents[2]


def wheel(folder: Path, name: str, needs: str = "") -> Path:
    """The smallest wheel there is: a module that says its name."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", f"NAME = {name!r}\n")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


def pinned(path: Path) -> str:
    name = path.name.split("-")[0]
    return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


class Set:
    """A set of made packages with the real bin/install."""

    def __init__(self, folder: Path):
        self.root, self.packages = folder, folder / "packages"
        self.groups = folder / "kinto/requirements"
        self.venv = folder / ".tools/kinto"
        for made in (self.packages, self.groups, folder / "kinto/bin"):
            made.mkdir(parents=True)
        shutil.copy(KINTO / "bin/install", folder / "kinto/bin/install")
        (folder / "kinto/requirements.txt").write_text(pinned(wheel(self.packages, "server")))

    def group(self, name: str, requirements: str) -> None:
        (self.groups / f"{name}.txt").write_text(requirements)

    def install(self, *groups: str) -> subprocess.CompletedProcess:
        settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.packages), "PYTHON": sys.executable}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "KINTO_"))}
        command = [self.root / "kinto/bin/install", *groups]
        return subprocess.run(command, env=kept | settings, capture_output=True, text=True)

    def has(self, module: str) -> bool:
        command = [self.venv / "bin/python", "-c", f"import {module}"]
        return subprocess.run(command, capture_output=True).returncode == 0

    def noted(self) -> list[str]:
        return [line.split()[0] for line in (self.venv / "installed").read_text().splitlines()]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Refusing changes nothing, so one installed server serves every test."""
    made = Set(tmp_path_factory.mktemp("set"))
    done = made.install()
    assert done.returncode == 0, done.stderr
    assert made.has("server") and made.noted() == ["server"]
    return made


def refused(made: Set, group: str, why: str) -> None:
    done = made.install(group)
    assert done.returncode != 0
    assert why in done.stderr
    assert group not in made.noted()


def test_an_installed_set_is_left_alone(made):
    before = made.venv.stat().st_ino, (made.venv / "installed").stat().st_mtime_ns
    done = made.install()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (made.venv.stat().st_ino, (made.venv / "installed").stat().st_mtime_ns) == before


def test_a_group_joins_the_server_and_stays_when_it_is_not_named_again(made):
    made.group("joining", pinned(wheel(made.packages, "joining")))
    assert made.install("joining").returncode == 0
    assert made.has("joining") and made.has("server")
    assert made.install().returncode == 0
    assert made.has("joining") and "joining" in made.noted()


def test_an_altered_wheel_is_refused_and_the_true_one_is_taken_afterwards(made):
    path = wheel(made.packages, "altered")
    made.group("altered", pinned(path))
    true = path.read_bytes()
    path.write_bytes(true.replace(b"NAME =", b"EVIL ="))
    assert path.read_bytes() != true
    refused(made, "altered", "DO NOT MATCH THE HASHES")
    assert not made.has("altered")
    path.write_bytes(true)
    assert made.install("altered").returncode == 0
    assert made.has("altered")


def test_a_wheel_is_refused_under_another_hash(made):
    requirement = pinned(wheel(made.packages, "rehashed"))
    made.group("rehashed", requirement[:-2] + ("0" if requirement[-2] != "0" else "1") + "\n")
    refused(made, "rehashed", "DO NOT MATCH THE HASHES")


def test_a_package_without_a_hash_is_refused(made):
    wheel(made.packages, "unhashed")
    made.group("unhashed", "unhashed==1.0\n")
    refused(made, "unhashed", "Hashes are required")


def test_a_package_that_would_have_to_be_built_is_refused(made):
    path = made.packages / "source-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        file.add(Path(__file__), "source-1.0/setup.py")
    made.group("source", pinned(path))
    refused(made, "source", "No matching distribution found")


def test_a_group_that_is_none_is_named_with_those_there_are(made):
    refused(made, "histroy", "there is no group 'histroy'; there are:")


def test_a_changed_list_makes_the_server_anew_with_its_groups(made):
    made.group("kept", pinned(wheel(made.packages, "kept")))
    assert made.install("kept").returncode == 0
    for list_of_packages in made.groups.glob("*.txt"):
        if list_of_packages.stem != "kept":
            list_of_packages.unlink()
    more = pinned(wheel(made.packages, "newer"))
    (made.root / "kinto/requirements.txt").write_text(pinned(made.packages / "server-1.0-py3-none-any.whl") + more)
    done = made.install()
    assert done.returncode == 0, done.stderr
    assert made.has("newer") and made.has("server") and made.has("kept")
    assert sorted(made.noted()) == ["kept", "server"]


# The last, for what is not whole stays so until it is made anew.
def test_a_list_that_lacks_what_its_packages_need_is_refused(made):
    made.group("lacking", pinned(wheel(made.packages, "lacking", "Requires-Dist: elsewhere\n")))
    refused(made, "lacking", "requires elsewhere, which is not installed")
