"""Building and pushing the image, with a command in the engine's place that keeps what it is told and answers as asked."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

KINTO = Path(__file__).parents[2]
# ENGINE_IMAGES has a line for each image it knows: its name, and the commit it was built of.
ENGINE = """#!/bin/sh
echo "$*" >>"$ENGINE_LOG"
case "$1 $2" in
"info "*) ;;
"image inspect")
    for name; do :; done
    grep "^$name " "$ENGINE_IMAGES" | cut -d' ' -f2 | grep . ;;
"pull --quiet") grep -q "^$3 " "$ENGINE_IMAGES" ;;
esac
"""


class Distribution:
    """A copy of the folder, committed, so that what is built of it is known."""

    def __init__(self, folder: Path):
        self.folder, self.images, self.log = folder, folder / "images", folder / "log"
        programs = folder / "programs"
        programs.mkdir()
        (programs / "docker").write_text(ENGINE)
        (programs / "docker").chmod(0o755)
        shutil.copytree(KINTO, folder / "kinto", ignore=shutil.ignore_patterns("tests", "__pycache__", ".env"))
        self.git("init", "--quiet")
        self.git("add", "kinto")
        self.git("-c", "user.name=us", "-c", "user.email=us@example.com", "commit", "--quiet", "--message", "all")
        self.commit = self.git("rev-parse", "HEAD").strip()
        self.version = (KINTO / "VERSION").read_text().strip()
        self.tags = [self.version, self.version.rpartition(".")[0], "latest"]

    def git(self, *words: str) -> str:
        return subprocess.run(["git", *words], cwd=self.folder, check=True, text=True, capture_output=True).stdout

    def image(self, *words: str, images: dict[str, str] | None = None, **variables: str) -> subprocess.CompletedProcess:
        self.images.write_text("".join(f"{name} {commit}\n" for name, commit in (images or {}).items()))
        self.log.write_text("")
        known = {"PATH": f"{self.folder / 'programs'}:{os.environ['PATH']}", "HOME": str(self.folder)}
        known |= {"ENGINE_LOG": str(self.log), "ENGINE_IMAGES": str(self.images)}
        line = [self.folder / "kinto/bin/image", *words]
        return subprocess.run(line, env=known | variables, text=True, capture_output=True)

    def told(self, *verbs: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line.split()[0] in verbs]


@pytest.fixture
def ours(tmp_path):
    return Distribution(tmp_path)


def test_an_image_is_built_with_the_sets_version_its_groups_and_its_commit(ours):
    done = ours.image("build", KINTO_GROUPS="attachment signer")
    (built,) = ours.told("build")
    assert done.returncode == 0, done.stderr
    assert f"--build-arg KINTO_GROUPS=attachment signer --build-arg REVISION={ours.commit}" in built
    assert all(f"--tag buildhub-kinto:{tag}" in built for tag in ours.tags) and built.endswith("/kinto")


def test_what_was_built_of_this_commit_is_tagged_and_pushed_as_each_of_its_versions(ours):
    name = f"buildhub-kinto:{ours.version}"
    done = ours.image("push", "registry.example.com/team/", images={name: ours.commit})
    assert done.returncode == 0, done.stderr
    wanted = []
    for tag in ours.tags:
        wanted += [f"tag {name} registry.example.com/team/buildhub-kinto:{tag}", f"push registry.example.com/team/buildhub-kinto:{tag}"]
    assert ours.told("tag", "push") == wanted


def test_pushing_the_same_again_is_no_fault_and_another_under_the_same_version_is_refused(ours):
    name, there = f"buildhub-kinto:{ours.version}", f"registry.example.com/buildhub-kinto:{ours.version}"
    assert ours.image("push", "registry.example.com", images={name: ours.commit, there: ours.commit}).returncode == 0
    refused = ours.image("push", "registry.example.com", images={name: ours.commit, there: "0" * 40})
    assert refused.returncode == 1 and "needs a version of its own" in refused.stderr
    assert not ours.told("tag", "push")


@pytest.mark.parametrize(
    ("built_of", "said"), [(None, "make kinto-image builds it"), ("0" * 40, "is of 0000"), ("unclean", "is of unclean")]
)
def test_nothing_else_than_what_lies_here_is_pushed(ours, built_of, said):
    images = {f"buildhub-kinto:{ours.version}": built_of} if built_of else {}
    refused = ours.image("push", "registry.example.com", images=images)
    assert refused.returncode == 1 and said in refused.stderr and not ours.told("tag", "push")


def test_what_is_in_no_commit_is_not_pushed(ours):
    with (ours.folder / "kinto/Dockerfile").open("a") as file:
        file.write("# another\n")
    refused = ours.image("push", "registry.example.com", images={f"buildhub-kinto:{ours.version}": f"{ours.commit}-unclean"})
    assert refused.returncode == 1 and "commit it and build it again" in refused.stderr and not ours.told("tag", "push")


def test_a_dry_run_says_what_would_be_done_and_does_nothing(ours):
    done = ours.image("push", "registry.example.com", DRY_RUN="1")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2 * len(ours.tags)
    assert not ours.told("tag", "push", "build")
    assert ours.image("push").returncode == 1
