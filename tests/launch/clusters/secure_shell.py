"""What sshd and ssh need: keys, configuration files, and an ``ssh`` that uses them."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from .base import SEARCH

_SERVER = {
    "StrictModes": "no", "PermitRootLogin": "prohibit-password", "PasswordAuthentication": "no",
    "KbdInteractiveAuthentication": "no", "UsePAM": "no", "UseDNS": "no", "PrintMotd": "no",
    "MaxStartups": "100:30:200", "MaxSessions": "100", "LogLevel": "ERROR",
    "ClientAliveInterval": "3", "ClientAliveCountMax": "2",
}
_CLIENT = {
    "User": "root", "IdentitiesOnly": "yes", "BatchMode": "yes", "StrictHostKeyChecking": "no",
    "UserKnownHostsFile": "/dev/null", "LogLevel": "ERROR", "ConnectTimeout": "5",
    "ServerAliveInterval": "3", "ServerAliveCountMax": "2",
}


class SecureShell:
    """A folder with the keys and configuration of one sshd, and of an ssh that gets in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configuration = folder / "sshd_config"
        self.sshd = shutil.which("sshd", path=SEARCH) or "sshd"     # wants its full path

    def prepare(
        self, port: int, server: Mapping[str, str], client: Mapping[str, str], command: Path,
    ) -> None:
        """Writes all of it.

        Args:
            server: more of sshd's configuration.
            client: more of ssh's configuration.
            command: where to write the ``ssh``.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        # The folder that sshd insists on; the package's service would make it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for key in ("host_key", "key"):
            if not (self.folder / key).exists():
                subprocess.run(
                    ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / key],
                    check=True, timeout=20, stdin=subprocess.DEVNULL)
        _write(self.configuration, {
            **_SERVER, "Port": str(port), "HostKey": str(self.folder / "host_key"),
            "AuthorizedKeysFile": str(self.folder / "key.pub"), **server})
        _write(self.folder / "ssh_config", {
            **_CLIENT, "IdentityFile": str(self.folder / "key"), **client})
        ssh = shutil.which("ssh", path=SEARCH) or "ssh"
        config = shlex.quote(str(self.folder / "ssh_config"))
        command.write_text(f'#!/bin/sh\nexec {ssh} -F {config} "$@"\n')
        command.chmod(0o755)


def _write(file: Path, settings: Mapping[str, str]) -> None:
    file.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
