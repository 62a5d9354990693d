"""Brings Apache Kafka's jars, pinned by the `pom.xml` beside this file, and finds what runs them.

The jars are fetched once per user and version of the `pom.xml`, into the user's cache folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from still.embedded.errors import MissingPartError

POM = Path(__file__).with_name("pom.xml")
FETCH_SECONDS = 300.0


def java() -> str:
    """The Java that runs the broker.

    Raises:
        MissingPartError: there is none.
    """
    return _tool("java", "Apache Kafka needs Java 17 or newer, e.g. the package openjdk-17-jre-headless")


def fetched_jars() -> Path:
    """The folder with all jars, fetched at first use (54 MB) by Maven; several processes may ask at once.

    Raises:
        MissingPartError: Maven is missing or cannot fetch; quotes its last line.
    """
    jars = _cache() / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
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


def _cache() -> Path:
    given = os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else Path.home() / ".cache") / "stillstream"


def _tool(name: str, why: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise MissingPartError(f"there is no {name!r} on the PATH; {why}; or use the default broker")
    return found
