"""The viewers' web UI: every mutation that its schema knows is refused, as an anonymous visitor sends it.

Belongs here: fault 65, over the real `dagster-webserver --read-only`. Must not: a list of mutations kept by hand.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from tests.pipeline import dagster_rig
from tests.pipeline.harness import ROOT

SCHEMA = """{ __schema { mutationType { fields { name args { name type { ...T } } type { ...T } } }
  types { kind name enumValues { name } inputFields { name type { ...T } } } } }
fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }"""
SCALARS = {"String": "x", "ID": "x", "Int": 1, "Float": 1.0, "Boolean": True, "RunConfigData": {}, "Cursor": "x"}
RUN = "11111111-2222-3333-4444-555555555555"
# It notes that a hint was shown, for a hint that dagster.yaml switches off (nux), and changes nothing else.
HARMLESS = {"setNuxSeen"}
WHY = "... on TerminateRunFailure { message }"
# What lies inside a result and tells of each run.
INSIDE = {
    "launchMultipleRuns": "... on LaunchMultipleRunsResult { launchMultipleRunsResult { __typename } }",
    "terminateRuns": f"... on TerminateRunsResult {{ terminateRunResults {{ __typename {WHY} }} }}",
    "terminateRun": WHY,
    "terminatePipelineExecution": WHY,
}


class Viewer:
    """An anonymous visitor of the read-only web UI."""

    def __init__(self, url):
        self.url = url
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, query, variables=None):
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        try:
            with self.opener.open(request, timeout=60) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return json.loads(error.read())


@contextmanager
def webserver(folder: Path, env):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [
        str(Path(sys.executable).parent / "dagster-webserver"),
        "--read-only",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    command += ["-m", "zz_pipeline.definitions"]
    whole = os.environ | env | {"DAGSTER_HOME": str(folder), "DAGSTER_DISABLE_TELEMETRY": "1"}
    log = (folder.parent / "web.log").open("wb")
    process = subprocess.Popen(command, cwd=ROOT, env=whole, stdout=log, stderr=log)
    viewer = Viewer(f"http://127.0.0.1:{port}")
    try:
        until = time.monotonic() + 180
        while True:
            try:
                if "data" in viewer.ask("{ version }"):
                    break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < until, (folder.parent / "web.log").read_text()
                time.sleep(0.5)
        yield viewer
    finally:
        process.terminate()
        process.wait(60)
        log.close()


@pytest.fixture(scope="module")
def ui(tmp_path_factory):
    place = tmp_path_factory.mktemp("ui")
    folder = dagster_rig.configure(place / "dagster")
    env = {"ZZ_HOME": str(place / "home"), "ZZ_CONFIG": str(ROOT / "config")}
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        instance.add_run(dg.DagsterRun(job_name="nightly", run_id=RUN, status=dg.DagsterRunStatus.STARTED))
        with webserver(folder, env) as viewer:
            yield viewer, instance


class Values:
    """A value of every argument's type, with our own job and run where their names ask for them."""

    def __init__(self, schema):
        self.types = {one["name"]: one for one in schema["types"]}

    def of(self, type_, name="", depth=0):
        kind = type_["kind"]
        if kind == "NON_NULL":
            return self.of(type_["ofType"], name, depth)
        if kind == "LIST":
            return [self.of(type_["ofType"], name, depth)]
        if kind == "ENUM":
            return self.types[type_["name"]]["enumValues"][0]["name"]
        if kind == "SCALAR":
            return known(name, SCALARS.get(type_["name"], "x"))
        fields = self.types[type_["name"]]["inputFields"]
        wanted = [f for f in fields if f["type"]["kind"] == "NON_NULL" or (depth < 2 and f["name"] in OURS)]
        return {f["name"]: self.of(f["type"], f["name"], depth + 1) for f in wanted}


OURS = {
    "runId": RUN, "parentRunId": RUN, "rootRunId": RUN, "repositoryName": "__repository__", "jobName": "nightly",
    "pipelineName": "nightly", "repositoryLocationName": "zz_pipeline.definitions", "scheduleName": "nightly_0130",
}  # fmt: skip


def known(name, otherwise):
    return OURS.get(name, RUN if name.lower().endswith("runids") else otherwise)


def written(type_):
    if type_["kind"] == "NON_NULL":
        return written(type_["ofType"]) + "!"
    return f"[{written(type_['ofType'])}]" if type_["kind"] == "LIST" else type_["name"]


def call(viewer, values, field):
    """What one mutation answers, as text."""
    needed = field["args"]
    head = ", ".join(f"${a['name']}: {written(a['type'])}" for a in needed)
    inner = ", ".join(f"{a['name']}: ${a['name']}" for a in needed)
    given = {a["name"]: values.of(a["type"], a["name"]) for a in needed}
    result = field["type"]
    while result["kind"] == "NON_NULL":
        result = result["ofType"]
    shown = "" if result["kind"] in ("SCALAR", "ENUM") else "{ __typename " + INSIDE.get(field["name"], "") + " }"
    arguments = (f"({head})", f"({inner})") if needed else ("", "")
    answer = viewer.ask(f"mutation{arguments[0]} {{ {field['name']}{arguments[1]} {shown} }}", given)
    return json.dumps(answer)


def refused(said):
    """By permission; or with an error before that question, since there was nothing of that id to change."""
    forbidden = "UnauthorizedError" in said or "You do not have permission" in said
    return forbidden or ("PythonError" in said and '"errors"' not in said)


def test_fault_65_every_mutation_of_the_read_only_ui_is_refused(ui):
    viewer, instance = ui
    schema = viewer.ask(SCHEMA)["data"]["__schema"]
    values, fields = Values(schema), schema["mutationType"]["fields"]
    before = everything(instance)
    said = {field["name"]: call(viewer, values, field) for field in fields}
    assert len(said) > 30
    assert {name: what for name, what in said.items() if name not in HARMLESS and not refused(what)} == {}
    assert sum("UnauthorizedError" in what for what in said.values()) >= 25, "most are refused by permission itself"
    assert everything(instance) == before


def everything(instance):
    """What a mutation could have changed."""
    runs = sorted((run.run_id, run.status.value, tuple(sorted(run.tags.items()))) for run in instance.get_runs())
    return runs, len(instance.all_instigator_state()), len(instance.get_backfills())
