"""The control socket: how a person's command reaches the running gateway.

A Unix socket (0660) in the data folder; one JSON object a line both ways, version 1:

    -> {"v":1,"id":7,"cmd":"read","device":"fan-2"}
    <- {"v":1,"id":7,"ok":true,"result":{...}}
    <- {"v":1,"id":7,"ok":false,"error":{"code":"no_device","text":"..."}}

A stream (``watch``) answers with many lines, ``{"v":1,"id":7,"item":{...}}``, until the
caller hangs up, or, where it ends by itself (``find``), with a last line that has no
item: ``{"v":1,"id":7,"ok":true}``. What the caller sends meanwhile is not looked at.
Nothing a caller sends stops the gateway: what is not understood is answered and
forgotten, lines are bounded, and callers are few.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
import tempfile
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from drivers.errors import DriverError
from gateway.texts import t

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        Awaitable,
        Callable,
        Collection,
        Iterator,
        Mapping,
    )
    from types import TracebackType
    from typing import Self

log = logging.getLogger(__name__)

VERSION = 1
LINE_LIMIT = 65_536
CALLERS_LIMIT = 16
ANSWER_LIMIT_S = 30.0
_NAME = "control.sock"
_PATH_LIMIT = 107
"""sun_path holds 108 bytes with its closing zero (unix(7))."""
_ENCODE = msgspec.json.Encoder(enc_hook=str).encode


class ControlError(Exception):
    """A command was not carried out; ``code`` is for programs."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class NotRunningError(ControlError):
    """Nobody listens on the socket."""


class Request(msgspec.Struct, kw_only=True):
    """One line from a caller; every command uses the fields it needs."""

    cmd: str
    v: int = VERSION
    id: int | str | None = None
    device: str | None = None
    devices: list[str] | None = None
    points: list[str] | None = None
    point: str | None = None
    value: bool | int | float | str | None = None
    within_s: float | None = None
    hours: int | None = None
    bus: str | None = None
    options: dict[str, Any] | None = None


def socket_path(folder: Path) -> Path:
    """Where the gateway of this data folder listens; the same for both ends.

    A path too long for a Unix socket is replaced by one in the temporary folder, named
    by a hash of the real one, in a folder of the user who owns the data.
    """
    path = folder.resolve() / _NAME
    if len(str(path).encode()) <= _PATH_LIMIT:
        return path
    name = blake2b(str(path).encode(), digest_size=8).hexdigest()
    try:
        owner = folder.stat().st_uid
    except OSError:  # not there yet: it will be ours
        owner = os.getuid()
    return Path(tempfile.gettempdir()) / f"ecogate-{owner}" / f"{name}.sock"


def _check_private(path: Path, *owners: int) -> None:
    """In the temporary folder anybody may have put something in our place.

    Raises:
        PermissionError: The socket's folder belongs to somebody else, or others may
            write to it.
    """
    if path.name == _NAME:
        return
    found = path.parent.lstat()
    private = stat.S_ISDIR(found.st_mode) and not stat.S_IMODE(found.st_mode) & 0o077
    if not private or found.st_uid not in owners:
        text = t("control.not_ours", folder=path.parent)
        raise PermissionError(text)


class ControlServer:
    """Serves the commands it is given."""

    def __init__(
        self,
        path: Path,
        commands: Mapping[str, Callable[[Request], Awaitable[Any]]],
        streams: Mapping[str, Callable[[Request], AsyncGenerator[bytes]]],
        *,
        whole: Collection[str] = (),
    ) -> None:
        """Prepare to serve.

        Args:
            path: From ``socket_path``.
            commands: By name; what they return is sent as JSON. They raise
                ControlError or DriverError to refuse.
            streams: By name; each item is a finished JSON value.
            whole: Commands that are carried out to their end, however long that
                takes: half of one would be worse than an answer nobody waits for.
        """
        self.path = path
        self._commands = commands
        self._streams = streams
        self._whole = frozenset(whole)
        self._callers: set[asyncio.Task[None]] = set()
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled; without a socket the gateway runs on."""
        try:
            server = await self._listen()
        except OSError as exc:
            log.error("%s", t("log.control_off", error=exc))  # noqa: TRY400
            return
        self.listening.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()
            for caller in list(self._callers):
                caller.cancel()
            await asyncio.gather(*self._callers, return_exceptions=True)
            self.path.unlink(missing_ok=True)
            if self.path.name != _NAME:
                with contextlib.suppress(OSError):  # another gateway of ours is in it
                    self.path.parent.rmdir()

    async def _listen(self) -> asyncio.AbstractServer:
        if self.path.name != _NAME:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            _check_private(self.path, os.getuid())
        # Whoever holds the data folder's lock owns this path: a file left there is
        # a dead gateway's.
        self.path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(
            self._accept, self.path, limit=LINE_LIMIT
        )
        with contextlib.suppress(FileNotFoundError):  # in memory, in tests
            self.path.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IWGRP)
        return server

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        task.set_name("control:caller")
        if len(self._callers) >= CALLERS_LIMIT:
            text = t("control.busy", limit=CALLERS_LIMIT)
            writer.write(_refusal(None, "busy", text))
            writer.close()
            return
        self._callers.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            # Cancelled: the server stops. Python 3.11's streams would log a traceback
            # of a caller that ends as cancelled.
            pass
        finally:
            self._callers.discard(task)
            writer.close()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            try:
                line = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError:
                return
            except asyncio.LimitOverrunError:
                text = t("control.too_long", limit=LINE_LIMIT)
                writer.write(_refusal(None, "too_long", text))
                await writer.drain()
                return
            try:
                request = msgspec.json.decode(line, type=Request)
            except msgspec.MsgspecError as exc:
                text = t("control.bad_request", error=exc)
                writer.write(_refusal(None, "bad_request", text))
            else:
                await self._serve(request, reader, writer)
            await writer.drain()

    async def _serve(
        self,
        request: Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if request.cmd in self._streams:
            await self._stream(request, reader, writer)
            return
        try:
            handler = self._commands.get(request.cmd)
            if handler is None:
                names = ", ".join(sorted([*self._commands, *self._streams]))
                raise ControlError(  # noqa: TRY301 - answered like any refusal
                    "unknown", t("control.unknown", found=request.cmd, names=names)
                )
            limit_s = None if request.cmd in self._whole else ANSWER_LIMIT_S
            async with asyncio.timeout(limit_s):
                result = await handler(request)
            answer = {"v": VERSION, "id": request.id, "ok": True, "result": result}
            writer.write(_ENCODE(answer) + b"\n")
        except ControlError as exc:
            writer.write(_refusal(request.id, exc.code, str(exc)))
        except DriverError as exc:
            writer.write(_refusal(request.id, exc.reason, str(exc)))
        except TimeoutError:
            text = t("control.no_answer", seconds=f"{ANSWER_LIMIT_S:g}")
            writer.write(_refusal(request.id, "timeout", text))

    async def _stream(
        self,
        request: Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        head = _ENCODE({"v": VERSION, "id": request.id})[:-1]

        async def send(items: AsyncGenerator[bytes]) -> None:
            async with contextlib.aclosing(items):
                async for item in items:
                    writer.write(b'%b,"item":%b}\n' % (head, item))
                    await writer.drain()

        try:
            # Making the stream may refuse as well: a device that is not there.
            items = self._streams[request.cmd](request)
            # The next item may be hours away: a caller that is gone is noticed first.
            tasks = (
                asyncio.create_task(send(items), name="control:stream"),
                asyncio.create_task(_hang_up(reader), name="control:hang-up"),
            )
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                ends = await asyncio.gather(*tasks, return_exceptions=True)
            for end in ends:
                if isinstance(end, Exception):
                    raise end
            writer.write(_ENCODE({"v": VERSION, "id": request.id, "ok": True}) + b"\n")
        except ControlError as exc:
            writer.write(_refusal(request.id, exc.code, str(exc)))


async def _hang_up(reader: asyncio.StreamReader) -> None:
    while await reader.read(LINE_LIMIT):
        pass


def _refusal(number: object, code: str, text: str) -> bytes:
    error = {"code": code, "text": text}
    return _ENCODE({"v": VERSION, "id": number, "ok": False, "error": error}) + b"\n"


def _owners(path: Path) -> tuple[int, ...]:
    """Who may serve a socket in the temporary folder: the data's owner, and root."""
    owner = path.parent.name.rpartition("-")[2]
    return (int(owner), 0) if owner.isdecimal() else (0,)


class ControlClient:
    """The other end, for commands at a terminal; blocking, standard library only."""

    def __init__(self, path: Path, timeout_s: float = ANSWER_LIMIT_S + 5) -> None:
        """Connect.

        Raises:
            NotRunningError: No gateway listens there.
        """
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        self._timeout_s = timeout_s
        try:
            _check_private(path, *_owners(path))
            self._socket.connect(str(path))
        except OSError as exc:
            self._socket.close()
            raise NotRunningError(
                "not_running", t("control.not_running", path=path)
            ) from exc
        self._file = self._socket.makefile("rb")
        self._number = 0
        self.ended = False
        """Whether the last stream came to its end; else the gateway went away."""

    @classmethod
    def for_folder(cls, folder: Path, timeout_s: float = ANSWER_LIMIT_S + 5) -> Self:
        """The gateway that uses this data folder."""
        return cls(socket_path(folder), timeout_s)

    def call(self, cmd: str, **fields: object) -> Any:  # noqa: ANN401 - JSON
        """Have one command carried out.

        Raises:
            ControlError: It was refused, or the gateway went away.
        """
        number = self._send(cmd, fields)
        while True:
            answer = self._receive()
            if answer.get("id") in (number, None):
                return answer.get("result")

    def stream(self, cmd: str, **fields: object) -> Iterator[Any]:
        """The items of a stream, until it ends or the gateway stops."""
        self.ended = False
        self._send(cmd, fields)
        self._socket.settimeout(None)
        while True:
            try:
                answer = self._receive()
            except ControlError as exc:
                if exc.code == "gone":
                    return
                raise
            if "item" not in answer:
                self.ended = True
                return
            yield answer["item"]

    def close(self) -> None:
        """Hang up; may be called twice."""
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, cmd: str, fields: dict[str, object]) -> int:
        self._number += 1
        request = {"v": VERSION, "id": self._number, "cmd": cmd, **fields}
        try:
            self._socket.sendall(_ENCODE(request) + b"\n")
        except OSError as exc:
            self._receive()  # why it hung up, where it said so
            raise ControlError("gone", str(exc)) from exc
        return self._number

    def _receive(self) -> dict[str, Any]:
        try:
            line = self._file.readline()
        except TimeoutError as exc:
            text = t("control.no_answer", seconds=f"{self._timeout_s:g}")
            raise ControlError("timeout", text) from exc
        except OSError as exc:
            raise ControlError("gone", str(exc)) from exc
        if not line:
            raise ControlError("gone", t("control.gone"))
        answer: dict[str, Any] = msgspec.json.decode(line)
        if answer.get("ok") is False:
            error = answer["error"]
            raise ControlError(error["code"], error["text"])
        return answer
