"""The TLS context that aiokafka gets means what librdkafka's settings say."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from streams.settings import RedactSettings
from streams.tls import context_of
from streams.worker_settings import WorkerSettings


@pytest.fixture(name="options")
def _options(tmp_path: Path) -> dict[str, str]:
    """An authority, and a certificate of ours from it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("worker.example")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    return {
        "security.protocol": "SSL",
        "ssl.ca.location": str(tmp_path / "ca.pem"),
        "ssl.certificate.location": str(tmp_path / "certificate.pem"),
        "ssl.key.location": str(tmp_path / "key.pem"),
    }


def test_plain_text_has_no_context() -> None:
    """Neither without settings nor with a login alone."""
    assert context_of({}) is None
    assert context_of({"security.protocol": "SASL_PLAINTEXT"}) is None


def test_brokers_must_prove_who_they_are(options: dict[str, str]) -> None:
    """The authority is the given one alone, certificates and host names are checked, and ours is loaded."""
    context = context_of(options)
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize("name", ["ssl.ca.location", "ssl.certificate.location"])
def test_a_file_that_is_none_is_named(options: dict[str, str], name: str, tmp_path: Path) -> None:
    """A worker refuses it at birth, with the file and without the key's password."""
    (tmp_path / "rubbish.pem").write_text("no certificate", encoding="ascii")
    wrong = {**options, name: str(tmp_path / "rubbish.pem"), "ssl.key.password": "hidden"}
    with pytest.raises(ValueError, match=r"rubbish\.pem.* cannot be used") as refused:
        WorkerSettings("k:1", RedactSettings(b"0123456789abcdef"), kafka_options=wrong)
    assert "hidden" not in str(refused.value)
