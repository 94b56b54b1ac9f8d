"""What is installed is what the lock says, byte for byte known, from no named place.

Belongs here: fault 67. Must not: looking anything up.
"""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
OURS = {"zz-pipeline", "pip", "setuptools", "wheel", "uv"}  # ourselves, and what installs


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def locked():
    """name → versions (more than one where Pythons differ), and the versions without a hash."""
    parts = re.split(r"^(?=[a-zA-Z0-9])", LOCK, flags=re.M)
    found, bare = {}, set()
    for part in parts:
        made = re.match(r"([A-Za-z0-9_.\-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", part)
        if made:
            found.setdefault(plain(made[1]), set()).add(made[2])
            if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", part):
                bare.add(made[0])
    return found, bare


def test_fault_67_every_package_is_pinned_with_its_hashes_and_no_place_is_named():
    packages, bare = locked()
    assert len(packages) > 50
    assert bare == set()
    assert re.findall(r"^(?!\s|#|[A-Za-z0-9][\w.\-]*(?:\[[\w,\-]+\])?==)\S.*", LOCK, re.M) == []
    assert re.search(r"://|index-url|find-links|trusted-host|\bgit\+", LOCK) is None


def test_fault_67_every_dependency_that_is_declared_is_in_the_lock():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {plain(re.match(r"[\w.\-]+", text)[0]) for text in named} - locked()[0].keys() == set()


def test_fault_67_what_is_installed_is_what_the_lock_says():
    packages, _ = locked()
    installed = {plain(found.metadata["Name"]): found.version for found in distributions()}
    strangers = installed.keys() - packages.keys() - OURS
    assert strangers == set()
    assert {name: v for name, v in installed.items() if name in packages and v not in packages[name]} == {}
