"""RTSP: our own question before FFmpeg's, against a scripted peer; what is pure."""

import socket
import threading
from contextlib import contextmanager

import pytest

from vision.messages import Camera
from vision.sources import SourceError, capture, decoder_log, open_source
from vision.sources.describe import describe
from vision.sources.rtsp import Damage, _Lag, _with_login

SDP = b"v=0\r\nm=video 0 RTP/AVP 96\r\n"
DIGEST = b'WWW-Authenticate: Digest realm="IP Camera(C1)", nonce="ab12", stale="FALSE"'


@contextmanager
def peer(*answers):
    """Answers each request with the next of these; keeps what was asked."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            link, _ = server.accept()
            with link:
                for answer in answers:
                    request = b""
                    while not request.endswith(b"\r\n\r\n"):
                        more = link.recv(4096)
                        if not more:
                            return
                        request += more
                    asked.append(request.decode())
                    link.sendall(answer)
                link.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"rtsp://127.0.0.1:{server.getsockname()[1]}/live/ch1", asked
    thread.join(5)


def answer(status, *headers, body=b""):
    lines = [b"RTSP/1.0 " + status, b"CSeq: 1", *headers]
    lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


def camera(url, **keys):
    return Camera(name="a", kind="rtsp", url=url, **keys)


def known(url):
    return camera(url, username="admin", password="hunter2")  # noqa: S106


def fails(work):
    with pytest.raises(SourceError) as caught:
        work()
    assert "hunter2" not in str(caught.value) + repr(caught.value.args_told)
    return caught.value.fault, caught.value.key.removeprefix("vision.source.")


def test_a_login_that_is_right_brings_the_description():
    with peer(answer(b"401 Unauthorized", DIGEST), answer(b"200 OK", body=SDP)) as (
        url,
        asked,
    ):
        assert describe(known(url)) == SDP.decode()

    assert "Authorization" not in asked[0]
    assert (
        f'Digest username="admin", realm="IP Camera(C1)", nonce="ab12", uri="{url}"'
        in (asked[1])
    )


def test_refused_is_told_from_gone():
    refusal = answer(b"401 Unauthorized", DIGEST)
    with peer(refusal, refusal) as (url, asked):
        assert fails(lambda: open_source(known(url))) == ("refused", "refused")
    assert len(asked) == 2  # one wrong password a try, not more: accounts are locked
    with peer(refusal) as (url, _):
        assert fails(lambda: describe(camera(url))) == ("refused", "no_login")
    with peer(answer(b"403 Forbidden")) as (url, _):
        assert fails(lambda: describe(known(url))) == ("refused", "refused")
    with peer(answer(b"404 Stream Not Found")) as (url, _):
        assert fails(lambda: describe(camera(url))) == ("gone", "status")
    assert fails(lambda: describe(camera(url))) == ("gone", "unreachable")


def test_mute_cut_and_foreign_peers_have_names():
    with peer(b"HTTP/1.1 400 Bad\r\n\r\n") as (url, _):
        assert fails(lambda: describe(camera(url))) == ("gone", "status")
    with peer(b"\x00\x01\x02\r\n\r\n") as (url, _):
        assert fails(lambda: describe(camera(url))) == ("corrupt", "no_answer")
    with peer(b"x" * 70_000) as (url, _):
        assert fails(lambda: describe(camera(url))) == ("corrupt", "no_answer")
    with peer(b"") as (url, _):
        assert fails(lambda: describe(camera(url), 0.3)) == ("silent", "silent")


def test_a_described_stream_that_cannot_be_opened_is_gone(capfd, monkeypatch):
    monkeypatch.setattr("vision.sources.rtsp.OPEN_S", 0.5)
    with peer(answer(b"200 OK", body=SDP)) as (url, _):
        assert fails(lambda: open_source(known(url))) == ("gone", "no_video")
    said = "".join(capfd.readouterr())
    assert "hunter2" not in said


def test_names_with_signs_travel_in_the_address():
    one = camera("rtsp://[2001:db8::1]:554/a?b=1", username="a@b", password="p:/#ü")  # noqa: S106

    assert _with_login(one) == "rtsp://a%40b:p%3A%2F%23%C3%BC@[2001:db8::1]:554/a?b=1"


def test_captures_of_other_options_wait_until_nobody_opens():
    inside, order = threading.Event(), []

    def other():
        with capture._options("rtsp_transport;udp", 5.0):
            order.append("udp")

    with capture._options("rtsp_transport;tcp", 5.0):
        thread = threading.Thread(target=other, daemon=True)
        thread.start()
        with capture._options("rtsp_transport;tcp", 5.0):  # the same may open at once
            inside.set()
        with pytest.raises(SourceError), capture._options("rtsp_transport;udp", 0.05):
            order.append("never")
        order.append("tcp")
    thread.join(5)

    assert order == ["tcp", "udp"]


def test_frames_that_are_late_and_come_at_once_are_queued():
    lag = _Lag()
    found = [lag.step(n - 0.04, float(n), n / 1.0) for n in range(5)]
    # Ten seconds pass while we are held up; then five frames come as fast as they may.
    late = [lag.step(15 + n / 100, 15.005 + n / 100, 5.0 + n) for n in range(5)]
    # A camera whose time stands still is late, but nothing waits there.
    stands = [lag.step(20.0 + n, 20.9 + n, 9.0) for n in range(5)]

    assert not any(found + stands)
    assert all(late)


def test_a_guessed_frame_damages_all_until_a_key_frame():
    damage = Damage()

    assert not damage.step(0.0, key=True, guessed=False)
    assert damage.step(0.2, key=False, guessed=True)
    assert damage.step(0.4, key=False, guessed=False)
    assert damage.step(0.6, key=True, guessed=True)
    assert not damage.step(0.8, key=True, guessed=False)
    # A stream without key frames has renewed itself after a while.
    assert damage.step(1.0, key=False, guessed=True)
    assert not damage.step(17.0, key=False, guessed=False)


def test_key_frames_that_stop_coming_were_lost():
    damage, doubted = Damage(), []
    for n in range(200):
        now = n / 5
        doubted.append(damage.step(now, key=n % 10 == 0 and n < 100, guessed=False))

    assert not any(doubted[:100])
    assert doubted[-1]
    assert doubted.index(True) / 5 - 90 / 5 <= 5.0
    # Who never sends any, sends them rarely: not a fault.
    slow = Damage()
    assert not any(slow.step(n / 5, key=n % 10 == 0, guessed=False) for n in range(100))
    late = [slow.step(20 + 5.0 * n, key=n % 10 == 0, guessed=False) for n in range(40)]
    assert not any(late)
    rare = Damage()
    assert not any(rare.step(n / 5, key=n == 0, guessed=False) for n in range(1000))


def test_the_decoder_is_heard_in_the_thread_that_asked():
    # The library comes with cv2, which test_files has imported; others may not have it.
    capture.open_stream("/nonexistent.mp4")
    if not decoder_log.listen():
        pytest.skip("this cv2 carries its FFmpeg inside")
    before = decoder_log.complaints()
    decoder_log._heard(None, 24, b"RTP: missed %d packets\n", None)
    decoder_log._heard(None, 16, b"SEI type %d truncated\n", None)
    decoder_log._heard(None, 48, b"concealing\n", None)

    assert decoder_log.complaints() == before + 1
    heard = []
    thread = threading.Thread(target=lambda: heard.append(decoder_log.complaints()))
    thread.start()
    thread.join()
    assert heard == [0]
    decoder_log.forget()
    assert decoder_log.complaints() == 0


def test_a_dead_camera_does_not_hold_up_another_being_opened():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"rtsp://127.0.0.1:{mute.getsockname()[1]}/live"
        thread = threading.Thread(
            target=lambda: fails(lambda: describe(camera(url), 60.0))
        )
        thread.start()
        assert capture.open_stream("/nonexistent.mp4") is None
        assert thread.is_alive()
    thread.join(20)  # who listened is gone
    assert not thread.is_alive()
