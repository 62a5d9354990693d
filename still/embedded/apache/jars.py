"""Brings Apache Kafka's jars, pinned by the `pom.xml` beside this file, and finds what runs them."""

from __future__ import annotations

import shutil
import subprocess
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


def fetched_jars(folder: Path) -> Path:
    """The folder with all jars, fetched at first use (54 MB) by Maven.

    Raises:
        MissingPartError: Maven is missing or cannot fetch; quotes its last line.
    """
    jars = folder / "lib"
    if (folder / ".complete").exists():
        return jars
    maven = _tool("mvn", "the jars of Apache Kafka are fetched with Maven, e.g. the package maven")
    argv = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={jars.absolute()}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    if done.returncode:
        last = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1:]
        raise MissingPartError(f"Maven could not fetch Apache Kafka: {''.join(last)}; mend its settings and try again")
    (folder / ".complete").touch()
    return jars


def _tool(name: str, why: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise MissingPartError(f"there is no {name!r} on the PATH; {why}; or use the default broker")
    return found
