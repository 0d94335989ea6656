"""Says for each repository of a list which packages dnf would install.

Reads a list of {folder, arch, packages, weak, exclude}; writes a list of {packages: [...]} or {error: "..."}.
"""

import json
import logging
import sys
import tempfile

import dnf

logging.disable(logging.CRITICAL)


def judge(case):
    with tempfile.TemporaryDirectory() as root, dnf.Base() as base:
        conf = base.conf
        conf.installroot = root
        conf.cachedir = root + "/cache"
        conf.persistdir = root + "/persist"
        conf.logdir = root
        conf.reposdir = []
        conf.pluginpath = []
        conf.best = True
        conf.install_weak_deps = case["weak"]
        conf.substitutions["arch"] = case["arch"]
        conf.substitutions["releasever"] = "1"
        conf.substitutions["basearch"] = case["arch"]
        conf.excludepkgs = case["exclude"]
        repo = dnf.repo.Repo("base", conf)
        repo.baseurl = ["file://" + case["folder"]]
        base.repos.add(repo)
        base.fill_sack(load_system_repo=False)
        try:
            for wanted in case["packages"]:
                base.install(wanted)
            base.resolve()
        except dnf.exceptions.Error as error:
            return {"error": str(error)}
        chosen = base.transaction.install_set if base.transaction else []
        return {"packages": sorted(f"{p.name}-{p.evr}.{p.arch}" for p in chosen)}


with open(sys.argv[1]) as cases:
    print(json.dumps([judge(case) for case in json.load(cases)]))
