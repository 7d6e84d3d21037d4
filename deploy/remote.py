"""One SSH connection a host, pyinfra's own: run, stream, tunnel, lock."""

from __future__ import annotations

import csv
import getpass
import io
import json
import os
import select
import shlex
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from deploy.errors import CalstackError
from deploy.settings.layout import HOST_LOCK, PSQL

if TYPE_CHECKING:
    import paramiko

_CHUNK = 1 << 17
csv.field_size_limit(1 << 30)  # for `Remote.sql`: a column may hold more than the module's own 128 KiB
_LOCK_REFUSED = 75  # EX_TEMPFAIL of sysexits.h


@dataclass(frozen=True)
class Completed:
    """A command that has ended on a host."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text, without the last line end."""
        return self.stdout.decode(errors="replace").rstrip("\n")

    @property
    def error_text(self) -> str:
        """Standard error as text, stripped."""
        return self.stderr.decode(errors="replace").strip()


class RemoteProcess:
    """A command that runs on a host while we talk to it; closing it hangs up on it."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._stdout = channel.makefile("rb", _CHUNK)

    def write_line(self, line: str) -> None:
        """Send one line to its standard input."""
        self._channel.sendall(line.encode() + b"\n")

    def __iter__(self) -> Iterator[str]:
        """Yield its lines of standard output until it ends."""
        for line in self._stdout:
            yield line.decode(errors="replace").rstrip("\n")

    def read_line(self, timeout: float) -> str | None:
        """Its next line of standard output, or None at its end; `TimeoutError` after `timeout` seconds."""
        self._channel.settimeout(timeout)
        try:
            line = self._stdout.readline()
        except TimeoutError as error:
            raise TimeoutError(f"no line within {timeout:.0f} s") from error
        finally:
            self._channel.settimeout(None)
        return line.decode(errors="replace").rstrip("\n") if line else None

    def finish(self) -> int:
        """End its standard input, wait for its end and return its exit code."""
        self._channel.shutdown_write()
        return self._channel.recv_exit_status()

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def __enter__(self) -> RemoteProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Remote:
    """What calstack does on a host besides pyinfra's operations, over the same connection."""

    def __init__(self, name: str, client: paramiko.SSHClient, *, sudo: bool) -> None:
        self.name = name
        self._client = client
        self._sudo = sudo

    @classmethod
    def of(cls, host: Any) -> Remote:
        """The connection of a pyinfra host that is connected."""
        return cls(host.name, host.connector.client, sudo=bool(host.data.get("_sudo")))

    def _transport(self) -> paramiko.Transport:
        transport = self._client.get_transport()
        if transport is None or not transport.is_active():
            raise CalstackError(
                "the SSH connection is gone",
                where=self.name,
                fix="check the network and run the command again",
            )
        return transport

    def _open(self, script: str) -> paramiko.Channel:
        channel = self._transport().open_session(timeout=30)
        shell = "sudo -n -H sh -c" if self._sudo else "sh -c"
        channel.exec_command(f"{shell} {shlex.quote(script)}")
        return channel

    def run(
        self,
        script: str,
        *,
        stdin: bytes | IO[bytes] | None = None,
        timeout: float = 60,
        check: bool = True,
        output: IO[bytes] | None = None,
    ) -> Completed:
        """Run a shell script as root on the host and wait for its end.

        `stdin` is sent as it is; secrets belong there, never into the script. `timeout` is in seconds and
        counts for the whole call. Where there is an `output`, standard output goes there. Raises
        `CalstackError` when it does not end in time, or, with `check`, when it ends with another code than 0.
        """
        channel = self._open(script)
        sender = threading.Thread(target=_send, args=(channel, stdin), daemon=True)
        sender.start()
        stdout, stderr = bytearray(), bytearray()
        deadline = time.monotonic() + timeout
        try:
            while True:
                received = _receive(channel, stdout, stderr)
                if output is not None and stdout:
                    output.write(stdout)
                    stdout.clear()
                if not received and channel.exit_status_ready() and channel.eof_received:
                    break
                if time.monotonic() > deadline:
                    raise CalstackError(
                        f"a command did not end within {timeout:.0f} s: {_first_words(script)}",
                        where=self.name,
                        fix="look at the load and the disks of the host, then run the command again",
                    )
                if not received:
                    select.select([channel], [], [], 0.2)
            code = channel.recv_exit_status()
        finally:
            channel.close()
        completed = Completed(code, bytes(stdout), bytes(stderr))
        if check and code != 0:
            said = completed.error_text or completed.text
            raise CalstackError(
                f"a command ended with {code}: {_first_words(script)}\n{said}", where=self.name
            )
        return completed

    def sql(self, query: str) -> list[list[str]]:
        """Rows that a query on the instance's database answers with, each a list of its columns as text.

        It travels on standard input; null is an empty text. Raises `CalstackError` where the database does
        not run or refuses it.
        """
        answer = self.run(f"{PSQL} --csv", stdin=query.encode()).stdout.decode()
        # A row whose only column is empty is an empty line, which the reader gives as no column.
        return [row or [""] for row in csv.reader(io.StringIO(answer, newline=""))]

    def start(self, script: str) -> RemoteProcess:
        """Start a shell script as root on the host and return while it runs."""
        return RemoteProcess(self._open(script))

    @contextmanager
    def tunnel(self, port: int) -> Iterator[int]:
        """A port on our loopback that leads to `port` on the host's loopback, through the SSH connection."""
        transport = self._transport()
        ends = (("127.0.0.1", port), ("127.0.0.1", 0))

        class Forward(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                channel = transport.open_channel("direct-tcpip", *ends, timeout=30)
                back = threading.Thread(target=_pump, args=(channel, self.request), daemon=True)
                back.start()
                _pump(self.request, channel)
                back.join()
                channel.close()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that hung up, or a port where nothing listens: the caller sees its own error."""

        with Server(("127.0.0.1", 0), Forward) as server:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            try:
                yield server.server_address[1]
            finally:
                server.shutdown()

    @contextmanager
    def lock(self, what: str) -> Iterator[None]:
        """Hold the host's lock while the block runs; the kernel frees it when the connection ends.

        Raises `CalstackError` that names the holder when somebody else has it.
        """
        note = json.dumps(
            {
                "who": f"{getpass.getuser()}@{socket.gethostname()}",
                "what": what,
                "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "pid": os.getpid(),
            }
        )
        script = (
            f"umask 077; exec 9<>{HOST_LOCK} || exit 1\n"
            # A look at the lock takes it for an instant (onhost's `lock status`): not refused for that.
            f"flock -w 1 9 || {{ cat {HOST_LOCK}; exit {_LOCK_REFUSED}; }}\n"
            f"read -r note; printf '%s\\n' \"$note\" >{HOST_LOCK}\n"
            f"echo held; cat >/dev/null; : >{HOST_LOCK}"
        )
        with self.start(script) as holder:
            holder.write_line(note)
            answer = holder.read_line(30)
            if answer != "held":
                raise CalstackError(
                    f"the host is locked by {_holder(answer)}",
                    where=self.name,
                    fix="wait until it is done; the lock goes away by itself when its holder ends",
                )
            yield
            # Wait for the holder's end, so that a command right after this one finds the lock free.
            holder.finish()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def _holder(note: str | None) -> str:
    try:
        holder = json.loads(note or "")
        return f"{holder['who']} ({holder['what']}) since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "somebody else"


def _first_words(script: str) -> str:
    line = script.strip().splitlines()[0]
    return line if len(line) <= 100 else f"{line[:97]}..."


def _send(channel: paramiko.Channel, stdin: bytes | IO[bytes] | None) -> None:
    try:
        if isinstance(stdin, bytes):
            channel.sendall(stdin)
        elif stdin is not None:
            while chunk := stdin.read(_CHUNK):
                channel.sendall(chunk)
        channel.shutdown_write()
    except OSError:
        # The command ended before it read everything; its exit code tells.
        return


def _receive(channel: paramiko.Channel, stdout: bytearray, stderr: bytearray) -> bool:
    received = False
    if channel.recv_ready():
        stdout += channel.recv(_CHUNK)
        received = True
    if channel.recv_stderr_ready():
        stderr += channel.recv_stderr(_CHUNK)
        received = True
    return received


def _pump(source: Any, target: Any) -> None:
    try:
        while data := source.recv(_CHUNK):
            target.sendall(data)
    except OSError:
        return
    finally:
        try:
            if isinstance(target, socket.socket):
                target.shutdown(socket.SHUT_WR)
            else:
                target.shutdown_write()
        except OSError:
            pass
