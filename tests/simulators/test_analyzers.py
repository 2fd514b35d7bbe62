"""``python -m simulators.analyzers``: its instruments before the driver."""

from __future__ import annotations

import asyncio

import pytest

from drivers.ascii import Timing, make_device, serial_ascii, tcp_ascii
from drivers.profiles.library import load_profile
from simulators import analyzer_kinds as kinds
from simulators.analyzers import NAMES, main, make, parse, wanted
from tests.support.play_ascii import ZONE
from tests.support.spawn import Spawned

PROFILES = {
    "thermo": "thermo-43i",
    "teledyne": "teledyne-t100",
    "bam": "met-one-bam-1020-pm10",
    "wxt": "vaisala-wxt5x0-crc",
    "wxt-auto": "vaisala-wxt5x0-auto",
    "windsonic": "gill-windsonic",
    "windsonic-polled": "gill-windsonic-polled",
    "dusttrak": "tsi-dusttrak",
    "yaohua": "weighbridge-yaohua",
    "toledo": "weighbridge-toledo",
}


def device(port, name, address=None):
    profile = load_profile(name)
    return make_device(
        name, address, port, profile.points, profile.dialogue, Timing(3.0), zone=ZONE
    )


@pytest.mark.parametrize("kind", NAMES)
async def test_each_kind_answers_its_profile_on_a_pty(kind, tmp_path):
    link = tmp_path / "line"
    args = ("--kind", kind, "--pty", link, "--every", "0.1")
    serving = asyncio.create_task(
        main(parse([str(arg) for arg in (*args, "--for", "5")]))
    )
    for _ in range(200):
        await asyncio.sleep(0.01)
        if link.is_symlink():
            break
    port = serial_ascii(str(link), 9600, "8N1")
    await port.open()
    profile = load_profile(PROFILES[kind])
    try:
        names = [point.name for point in profile.points]
        answer = await device(port, profile.profile).scan(names)
    finally:
        await port.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    assert set(names) <= answer.values.keys(), answer.detail
    assert answer.flaws == {}


def test_two_on_a_socket_in_a_process_of_their_own():
    args = ("--kind", "thermo:42=no,no2,nox", "--kind", "thermo:43", "--tcp", "0")

    async def ask(number):
        port = tcp_ascii("127.0.0.1", number)
        await port.open()
        one = await device(port, "thermo-42i", "42").scan(["no_ppb", "nox_ppb"])
        two = await device(port, "thermo-43i", "43").scan(["so2_ppb"])
        await port.close()
        return one, two

    with Spawned("simulators.analyzers", *args) as served:
        one, two = asyncio.run(ask(served.ready["port"]))
        assert served.stop() == 0

    assert one.values.keys() == {"no_ppb", "nox_ppb"}
    assert two.values.keys() == {"so2_ppb"}
    assert served.errors == ""


@pytest.mark.parametrize(
    "args", [[], ["--kind", "thermo"], ["--kind", "x", "--tcp", "0"]]
)
def test_what_is_missing_is_said(args, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(args)
    assert ended.value.code == 2
    assert "--kind" in capsys.readouterr().err or args


def test_a_manual_s_examples_from_the_simulator():
    """What the simulator plays is what the manuals print."""
    thermo = kinds.Thermo(lambda _q: 15.0, 25, ("o2",))
    sonic = kinds.WindSonic(
        lambda quantity: {"direction": 229, "speed": 2.74}[quantity], "Q", 0
    )
    scale = kinds.Yaohua(lambda _q: 20.0, 1.0, places=2)
    wxt = kinds.Wxt(lambda _q: 0.0)

    assert thermo.heard(b"\x99o2\r")[0].data == b"o2 15.000 %\r"
    assert thermo.heard(b"\x98o2\r") == []
    assert thermo.heard(b"\x99o9\r")[0].data == b"o9 bad cmd\r"
    assert sonic.heard(b"?Q")[0].data == b"\x02Q,229,002.74,M,00,\x0316\r\n"
    assert scale.says() == b"\x02+00200021B\x03"
    assert wxt.heard(b"0r1xxx\r\n")[0].data == b"0tX,Use chksum GoeIU~\r\n"
    assert make(wanted("toledo"), lambda _q: 1.0, 0.5).period_s == 0.5
