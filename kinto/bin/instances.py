"""Asks every known server how it is. `instances` calls it and says how."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

# Servers asked at a time, and how long one may take in seconds: the doctor itself waits 15 for an answer, of a dozen.
AT_A_TIME = 8
PATIENCE = 240
# What of our environment the doctor gets: Buildhub's own settings are not these servers'.
PASSED_ON = ("PATH", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy",
             "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
COLUMNS = ("instance", "environment", "state", "Kinto", "writes", "batch", "page", "answers in", "clock")


def main():
    here, *arguments = sys.argv[1:]
    here = Path(here)
    file_only = "--file-only" in arguments
    files = [argument for argument in arguments if argument != "--file-only"]
    if len(files) > 1 or any(file.startswith("-") for file in files):
        fail("instances [--file-only] [FILE]")
    file = Path(files[0]) if files else here / "instances.yml"
    instances = read(file, here / "instances.schema.json")
    if file_only:
        print(f"{file}: {len(instances)} instances, in good form")
        return 0
    command = buildhub(here.parent)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        reports = list(pool.map(lambda instance: ask(command, instance), instances))
    rows, notes, wrong = [COLUMNS], [], 0
    for instance, report in zip(instances, reports):
        problems, remarks = judge(instance, report)
        wrong += bool(problems)
        rows.append(row(instance, report, problems, remarks))
        said = [f"  {'fault  ' if text in problems else 'warning'}  {text}" for text in problems + remarks]
        if said:
            notes.append("\n".join([f"\n{instance['name']} ({instance['url']}; ask {instance['contact']}):", *said]))
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for cells in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())
    print("".join(note + "\n" for note in notes), end="")
    return 1 if wrong else 0


def fail(text):
    print(f"kinto/bin/instances: {text}", file=sys.stderr)
    sys.exit(2)


def read(file, schema):
    """The instances, if the file is as it should be."""
    try:
        content = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    except (OSError, YAMLError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {error}")
    checker = jsonschema.Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    faults = [f"  {'.'.join(map(str, error.absolute_path)) or '(all)'}: {error.message}" for error in checker.iter_errors(content)]
    if not faults:
        names = [instance["name"] for instance in content["instances"]]
        faults = [f"  {name}: there are two of this name" for name in sorted(set(names)) if names.count(name) > 1]
    if faults:
        fail(f"{file} is not as {schema.name} wants it:\n" + "\n".join(faults))
    return content["instances"]


def buildhub(root):
    target = Path(os.environ.get("CARGO_TARGET_DIR") or root / "target")
    built = [str(target / profile / "buildhub") for profile in ("release", "debug")]
    for command in [os.environ.get("BUILDHUB"), *built, "buildhub"]:
        found = command and shutil.which(command)
        if found:
            return found
    fail("there is no buildhub to ask with; `make kinto-instances` builds it, or name one by BUILDHUB")


def ask(command, instance):
    """The doctor's report, or a text that says why there is none."""
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment["LOG_LEVEL"] = "ERROR"
    arguments = [command, "doctor", "--json", "--server", instance["url"]]
    for name in ("bucket", "collection"):
        arguments += [f"--{name}", instance[name]] if name in instance else []
    credentials = os.environ.get(instance.get("credentials", ""), "")
    if credentials:
        environment["AUTH"] = credentials
    else:
        arguments.append("--anonymous")
    try:
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        return json.loads(done.stdout) if done.stdout else done.stderr.strip() or f"{command}: exit code {done.returncode}"
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        return str(error)


def judge(instance, report):
    """What is wrong with an instance, and what else is worth a look."""
    if isinstance(report, str):
        return [report], []
    if not is_up(report) and instance.get("may_be_down"):
        return [], []
    tolerated = instance.get("tolerated", {})
    findings = [finding for finding in report["findings"] if finding["check"] not in tolerated]
    is_production = instance["environment"] == "production"

    def is_fault(finding):
        return finding["state"] == "fault" or is_production and (finding["check"], finding["state"]) == ("flush", "warning")

    problems = [text(finding) for finding in findings if is_fault(finding)]
    remarks = [text(finding) for finding in findings if finding["state"] == "warning" and not is_fault(finding)]
    if is_production and not instance["url"].startswith("https://"):
        problems.append("url: a production server is reached by https")
    if report["facts"]["version"]:
        problems += unexpected(instance.get("expected", {}), report["facts"])
    return problems, remarks


def text(finding):
    return f"{finding['check']}: {finding['seen']}" + (f" - {finding['advice']}" if finding["advice"] else "")


def is_up(report):
    return all(finding["state"] == "ok" for finding in report["findings"] if finding["check"] == "reachable")


def unexpected(expected, facts):
    """What is other than the file says."""
    version = expected.get("version")
    if version and facts["version"].split(".")[:len(version.split("."))] != version.split("."):
        yield f"expected: Kinto {version}, not {facts['version']}"
    for name in expected.get("capabilities", []):
        if name not in facts["capabilities"]:
            yield f"expected: {name}, which is not there"
    for name in expected.get("absent", []):
        if name in facts["capabilities"]:
            yield f"expected: no {name}, which is there"
    if "readonly" in expected and facts["readonly"] != expected["readonly"]:
        yield f"expected: readonly is {str(expected['readonly']).lower()}, and it is not"
    if facts["batch_max"] is not None and facts["batch_max"] < expected.get("batch_max", 0):
        yield f"expected: batches of {expected['batch_max']}, and at most {facts['batch_max']} are taken"
    slowest = expected.get("latency_ms")
    if slowest and (facts["latency_ms"] or 0) > slowest:
        yield f"expected: answers in {slowest} ms, and half take longer than {facts['latency_ms']}"


def row(instance, report, problems, remarks):
    state = f"{len(problems)} wrong" if problems else f"{len(remarks)} to look at" if remarks else "well"
    cells = [instance["name"], instance["environment"], state]
    facts = {} if isinstance(report, str) else report["facts"]
    if not isinstance(report, str) and not is_up(report) and not problems:
        cells[2] = "down"
    if not facts.get("version"):
        return cells + ["-"] * (len(COLUMNS) - len(cells))
    shown = lambda value, unit="": "-" if value is None else f"{value}{unit}"
    writes = "no" if facts["readonly"] else "yes"
    return cells + [facts["version"], writes, shown(facts["batch_max"]), shown(facts["page_max"]),
                    shown(facts["latency_ms"], " ms"), shown(facts["clock_ahead_s"], " s")]


sys.exit(main())
