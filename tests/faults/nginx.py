"""nginx as the deployment guide sets it up, in front of a service."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.programs import program
from tests.serving.service import until

GUIDE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "deploy.md"
_MAIN: Final = """
{user}daemon off; pid {folder}/pid; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {documented}
}}
"""
_CERTIFICATE: Final = (
    *("req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
    *("-subj", "/CN=kgl.example.org", "-days", "2"),
)


@contextmanager
def nginx(service_port: int, folder: Path) -> Iterator[int]:
    """The port on which nginx speaks TLS for a service, for as long as the block runs.

    Its configuration is the guide's, with other ports and files.
    """
    server = program("nginx", package="nginx-light")
    folder.mkdir()
    files = ("-keyout", folder / "kgl.key", "-out", folder / "kgl.pem")
    subprocess.run([program("openssl"), *_CERTIFICATE, *files], check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    documented = _documented(
        {"listen 443 ssl": f"listen 127.0.0.1:{port} ssl", "127.0.0.1:8000": f"127.0.0.1:{service_port}"}
        | {f"/etc/ssl/kgl.{kind}": f"{folder}/kgl.{kind}" for kind in ("pem", "key")}
    )
    user = "user root; " if os.geteuid() == 0 else ""  # else its processes could not reach the folder
    (folder / "conf").write_text(_MAIN.format(user=user, folder=folder, documented=documented))
    process = subprocess.Popen([server, "-e", folder / "errors", "-p", folder, "-c", folder / "conf"])

    def answers() -> bool:
        assert process.poll() is None, (folder / "errors").read_text()
        with suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        return False

    try:
        until(answers)
        yield port
    finally:
        process.terminate()
        process.wait()


def _documented(replaced: dict[str, str]) -> str:
    """The guide's configuration with other ports and files, all of which it must name."""
    [text] = re.findall(r"^```nginx\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    for ours, other in replaced.items():
        assert ours in text
        text = text.replace(ours, other)
    return str(text)
