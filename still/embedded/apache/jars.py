"""Brings Apache Kafka's jars, pinned by the `pom.xml` beside this file, and finds what runs them.

The jars are fetched once per user and version of the `pom.xml`, into the user's cache folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from still.embedded.errors import MissingPartError

POM = Path(__file__).with_name("pom.xml")
FETCH_SECONDS = 300.0
_OLDEST_JAVA = 17
_OTHERWISE = "or use the default broker"


def java() -> str:
    """The Java that runs the broker.

    Raises:
        MissingPartError: there is none, or one that is too old.
    """
    wanted = f"Apache Kafka needs Java {_OLDEST_JAVA} or newer, e.g. the package openjdk-17-jre-headless"
    program = _tool("java", wanted)
    said = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < _OLDEST_JAVA:
        raise MissingPartError(f"{program} says {said.partition(chr(10))[0]!r}; {wanted}; {_OTHERWISE}")
    return program


def have_jars() -> bool:
    """Whether the jars are in the cache, so that Maven is not needed any more."""
    return _jars().exists()


def fetched_jars() -> Path:
    """The folder with all jars, fetched at first use (54 MB) by Maven; several processes may ask at once.

    Raises:
        MissingPartError: Maven is missing or cannot fetch; quotes its last line.
    """
    jars = _jars()
    if not jars.exists():
        _fetch(jars)
    return jars


def _fetch(jars: Path) -> None:
    maven = _tool("mvn", "the jars of Apache Kafka are fetched with Maven, e.g. the package maven")
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent) as part:
        argv = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={part}/lib"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
        if done.returncode:
            first = (done.stdout.strip() or done.stderr.strip()).splitlines()[:1]
            raise MissingPartError(
                f"Maven could not fetch Apache Kafka: {''.join(first)}; mend its settings and try again"
            )
        try:
            Path(part, "lib").rename(jars)
        except OSError:
            # Another process was quicker, with the same jars.
            if not jars.exists():
                raise


def _jars() -> Path:
    given = os.environ.get("XDG_CACHE_HOME")
    cache = Path(given) if given else Path.home() / ".cache"
    return cache / "stillstream" / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"


def _tool(name: str, why: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise MissingPartError(f"there is no {name!r} on the PATH; {why}; {_OTHERWISE}")
    return found
