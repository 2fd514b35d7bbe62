from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.errors import ResponseTimeoutError
from gateway.control import (
    CALLERS_LIMIT,
    LINE_LIMIT,
    ControlClient,
    ControlError,
    ControlServer,
    NotRunningError,
    socket_path,
)


async def echo(request):
    return {"device": request.device}


async def fails(request):
    raise ResponseTimeoutError("unit 3: no answer")


async def refuses(request):
    raise ControlError("no_device", "no such thing")


async def counts(request):
    for n in range(3):
        yield b'{"n":%d}' % n
        await asyncio.sleep(0)
    await asyncio.sleep(3600)
    yield b"{}"


def denies(request):
    raise ControlError("no_device", "no such thing")


@contextlib.asynccontextmanager
async def serving(path):
    server = ControlServer(
        path,
        {"echo": echo, "fails": fails, "refuses": refuses},
        {"counts": counts, "denies": denies},
    )
    task = asyncio.create_task(server.run(), name="control")
    await server.listening.wait()
    try:
        yield server
    finally:
        task.cancel()
        await asyncio.wait([task])


async def ask(path, *calls):
    """What a blocking client gets, in a thread."""

    def work():
        got = []
        with ControlClient(path, timeout_s=5) as client:
            for cmd, fields in calls:
                try:
                    got.append(client.call(cmd, **fields))
                except ControlError as exc:
                    got.append((exc.code, str(exc)))
        return got

    return await asyncio.to_thread(work)


async def test_commands_are_answered_and_refusals_have_a_code(tmp_path):
    path = socket_path(tmp_path)

    async with serving(path):
        got = await ask(
            path,
            ("echo", {"device": "fan-2"}),
            ("fails", {}),
            ("refuses", {}),
            ("nonsense", {}),
        )
        mode = stat.S_IMODE(path.stat().st_mode)

    assert got[0] == {"device": "fan-2"}
    assert got[1] == ("timeout", "unit 3: no answer")
    assert got[2] == ("no_device", "no such thing")
    assert got[3][0] == "unknown"
    assert mode == 0o660
    assert not path.exists()


async def test_a_stream_goes_on_until_the_caller_hangs_up(tmp_path):
    path = socket_path(tmp_path)

    def work():
        with ControlClient(path) as client:
            items = client.stream("counts")
            return [next(items) for _ in range(3)]

    async with serving(path) as server:
        assert await asyncio.to_thread(work) == [{"n": 0}, {"n": 1}, {"n": 2}]
        assert len(server._callers) <= 1


async def test_a_stream_that_ends_lets_its_caller_go_on(tmp_path):
    path = socket_path(tmp_path)

    async def few(request):
        for number in range(3):
            yield b"%d" % number

    def work():
        with ControlClient(path, timeout_s=5) as client:
            return list(client.stream("few")), list(client.stream("few"))

    server = ControlServer(path, {}, {"few": few})
    task = asyncio.create_task(server.run(), name="control")
    await server.listening.wait()
    async with asyncio.timeout(5):
        assert await asyncio.to_thread(work) == ([0, 1, 2], [0, 1, 2])
    task.cancel()
    await asyncio.wait([task])


async def test_a_server_that_stops_while_somebody_is_connected_logs_nothing(
    tmp_path, caplog
):
    path = socket_path(tmp_path)
    server = ControlServer(path, {}, {})
    task = asyncio.create_task(server.run(), name="control")
    await server.listening.wait()
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"cmd":"nothing"}\n')
    await reader.readline()
    task.cancel()
    await asyncio.wait([task])
    await reader.read()
    writer.close()

    assert caplog.records == []


async def test_a_caller_that_hung_up_is_noticed_before_the_next_item(tmp_path):
    path, ended = socket_path(tmp_path), asyncio.Event()

    async def rare(request):
        try:
            yield b"1"
            await asyncio.sleep(3600)
        finally:
            ended.set()

    server = ControlServer(path, {}, {"rare": rare})
    task = asyncio.create_task(server.run(), name="control")
    await server.listening.wait()
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"cmd":"rare"}\n')
    await reader.readline()
    writer.close()

    async with asyncio.timeout(5):
        await ended.wait()
    task.cancel()
    await asyncio.wait([task])


async def test_one_caller_too_many_is_told_so(tmp_path):
    path = socket_path(tmp_path)

    async with serving(path):
        held = [await asyncio.open_unix_connection(path) for _ in range(CALLERS_LIMIT)]
        for reader, writer in held:
            writer.write(b'{"cmd":"echo"}\n')
            await reader.readline()
        got = await ask(path, ("echo", {}))
        for _, writer in held:
            writer.close()

    assert got[0][0] == "busy"


async def test_a_stream_that_is_refused_says_so_at_once(tmp_path):
    path = socket_path(tmp_path)

    def work():
        with ControlClient(path) as client:
            return list(client.stream("denies"))

    async with serving(path):
        with pytest.raises(ControlError, match="no such thing"):
            await asyncio.to_thread(work)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(
    st.lists(st.binary(max_size=200).map(lambda b: b.replace(b"\n", b"")), max_size=5)
)
def test_nothing_a_caller_sends_stops_the_server(tmp_path, lines):
    async def main():
        path = socket_path(tmp_path)
        async with serving(path):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(b"\n".join(lines) + b"\n")
            writer.write_eof()
            await reader.read()
            writer.close()
            assert (await ask(path, ("echo", {})))[0] == {"device": None}

    asyncio.run(main())


async def test_a_line_without_end_is_refused(tmp_path):
    path = socket_path(tmp_path)

    async with serving(path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"x" * (LINE_LIMIT + 10))
        answer = json.loads(await reader.readline())
        writer.close()
        assert answer["error"]["code"] == "too_long"
        assert (await ask(path, ("echo", {})))[0] == {"device": None}


async def test_a_dead_gateways_socket_is_replaced(tmp_path):
    path = socket_path(tmp_path)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(NotRunningError):
        ControlClient(path)

    server = ControlServer(path, {"echo": echo}, {})
    task = asyncio.create_task(server.run())
    await server.listening.wait()

    assert (await ask(path, ("echo", {})))[0] == {"device": None}
    task.cancel()
    await asyncio.wait([task])


def test_a_path_too_long_for_a_socket_is_replaced_by_a_short_one(tmp_path):
    folder = tmp_path / ("x" * 120)

    path = socket_path(folder)

    assert len(str(path)) <= 107
    assert path == socket_path(folder)
    assert path != socket_path(tmp_path / ("y" * 120))


@pytest.fixture
def far(tmp_path, monkeypatch):
    """A data folder whose socket stands in the temporary folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    return folder


async def test_a_socket_in_the_temporary_folder_is_in_a_private_one(far):
    path = socket_path(far)

    async with serving(path):
        mode = stat.S_IMODE(path.parent.stat().st_mode)
        assert (await ask(path, ("echo", {})))[0] == {"device": None}

    assert mode == 0o700
    assert not path.parent.exists()


@pytest.mark.parametrize("how", ["open", "link", "file"])
async def test_a_folder_that_is_not_ours_alone_is_refused(far, how, caplog):
    path = socket_path(far)
    if how == "open":
        path.parent.mkdir()
        path.parent.chmod(0o777)
    elif how == "link":
        (far / "real").mkdir(mode=0o700)
        path.parent.symlink_to(far / "real")
    else:
        path.parent.write_text("in the way", encoding="utf-8")

    await ControlServer(path, {"echo": echo}, {}).run()

    assert str(path.parent) in caplog.text
    with pytest.raises(NotRunningError):
        ControlClient(path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make another's folder")
async def test_a_folder_of_somebody_else_is_refused_by_both_ends(far, caplog):
    path = socket_path(far)
    path.parent.mkdir(mode=0o700)
    os.chown(path.parent, 12345, 12345)
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(path))
        theirs.listen()

        await ControlServer(path, {"echo": echo}, {}).run()
        with pytest.raises(NotRunningError):
            ControlClient(path)

    assert str(path.parent) in caplog.text


async def test_without_a_socket_the_gateway_runs_on(tmp_path, caplog):
    server = ControlServer(tmp_path / "no" / "such" / "folder.sock", {}, {})

    await server.run()

    assert "control" in caplog.text


async def test_a_slow_answer_is_given_up_but_a_change_is_carried_out_whole(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("gateway.control.ANSWER_LIMIT_S", 0.05)
    done = []

    async def slow(request):
        await asyncio.sleep(0.2)
        done.append(request.cmd)
        return request.cmd

    path = socket_path(tmp_path)
    server = ControlServer(path, {"read": slow, "reload": slow}, {}, whole=("reload",))
    task = asyncio.create_task(server.run(), name="control")
    await server.listening.wait()
    try:
        got = await ask(path, ("read", {}), ("reload", {}))
    finally:
        task.cancel()
        await asyncio.wait([task])

    assert got[0][0] == "timeout"
    assert got[1] == "reload"
    assert done == ["reload"]
