"""What stands before a ClickHouse with TLS and users: ends TLS, asks for a login, passes the bytes on."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import trustme

from still.embedded.ports import LOOPBACK

_REFUSED = b"Code: 516. DB::Exception: Authentication failed: password is incorrect. (AUTHENTICATION_FAILED)"


@contextlib.contextmanager
def tls_proxy(port: int, login: tuple[str, str], folder: Path) -> Iterator[tuple[str, Path]]:
    """Yields the https address in front of loopback `port`, and the PEM file of the authority behind it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(LOOPBACK).configure_cert(context)
    wanted = b"Basic " + base64.b64encode(":".join(login).encode())
    with socket.create_server((LOOPBACK, 0)) as listener:
        threading.Thread(target=_serve, args=(listener, context, wanted, port), daemon=True).start()
        yield f"https://{LOOPBACK}:{listener.getsockname()[1]}", folder / "ca.pem"


def _serve(listener: socket.socket, context: ssl.SSLContext, wanted: bytes, port: int) -> None:
    with contextlib.suppress(OSError):  # the listener was closed
        while True:
            plain, _ = listener.accept()
            threading.Thread(target=_connection, args=(plain, context, wanted, port), daemon=True).start()


def _connection(plain: socket.socket, context: ssl.SSLContext, wanted: bytes, port: int) -> None:
    with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as client:
        head = b""
        while b"\r\n\r\n" not in head and (some := client.recv(65536)):
            head += some
        if wanted not in head:
            fields = f"X-ClickHouse-Exception-Code: 516\r\nContent-Length: {len(_REFUSED)}\r\nConnection: close"
            client.sendall(f"HTTP/1.1 403 Forbidden\r\n{fields}\r\n\r\n".encode() + _REFUSED)
            return
        with socket.create_connection((LOOPBACK, port)) as server:
            server.sendall(head)
            threading.Thread(target=_pass_on, args=(server, client), daemon=True).start()
            _pass_on(client, server)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while some := source.recv(65536):
            target.sendall(some)
