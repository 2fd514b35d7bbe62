"""Snapshots and MJPEG against a server, and what it may do wrong."""

import socket
import threading

import pytest

from tests.support.http_camera import PASSWORD, USER, http_camera, jpeg
from vision.messages import Camera
from vision.sources import SourceError, open_source


@pytest.fixture
def served():
    with http_camera() as found:
        yield found


def snapshot(url, **keys):
    keys = {"every_s": 0.0, **keys}
    return open_source(Camera(name="a", kind="snapshot", url=url, **keys))


def known(url, **keys):
    return snapshot(url, username=USER, password=PASSWORD, **keys)


def fails(work):
    with pytest.raises(SourceError) as caught:
        work()
    assert PASSWORD not in str(caught.value) + repr(caught.value.args_told)
    return caught.value.fault, caught.value.key.removeprefix("vision.source.")


@pytest.mark.parametrize("auth", [None, "basic", "MD5", "MD5-sess", "SHA-256"])
def test_a_picture_with_each_login(served, auth):
    told, url = served
    told.auth = auth
    source = known(f"{url}/still.jpg?channel=1")

    assert source.read().image.shape == (96, 160, 3)
    first = told.asked
    source.read()

    assert told.asked == first + 1  # the challenge is remembered


def test_a_stale_nonce_is_no_refusal(served):
    told, url = served
    told.auth = "MD5"
    source = known(url)
    source.read()
    told.stale_once = True

    assert source.read().image.size


def test_wrong_password_and_missing_login_are_refused_after_few_tries(served):
    told, url = served
    for told.auth in ("basic", "MD5"):
        told.asked = 0
        wrong = snapshot(url, username=USER, password="nonsense")  # noqa: S106
        assert fails(wrong.read) == ("refused", "refused")
        assert told.asked == 2
    assert fails(snapshot(url).read) == ("refused", "no_login")


def test_each_thing_that_goes_wrong_has_its_name(served):
    told, url = served
    source = snapshot(url)

    told.cut = 900
    assert fails(source.read) == ("corrupt", "truncated")
    told.cut, told.body = None, jpeg()[:-30]
    assert fails(source.read) == ("corrupt", "truncated")
    told.body, told.type = b"<html>login</html>", "text/html"
    assert fails(source.read) == ("corrupt", "not_jpeg")
    told.type = "multipart/x-mixed-replace; boundary=x"
    assert fails(source.read) == ("corrupt", "is_stream")
    told.type, told.length = "image/jpeg", 10**9
    assert fails(source.read) == ("corrupt", "too_large")
    told.status = 404
    assert fails(source.read) == ("gone", "status")
    told.status, told.length, told.body = 200, None, jpeg()
    assert source.read().image.size


def test_chunks_redirects_on_the_same_host_and_odd_types(served):
    told, url = served
    told.chunked = True
    assert snapshot(url).read().image.size
    told.chunked, told.type = False, "application/octet-stream"
    assert snapshot(url).read().image.size
    told.location = "/there"
    assert snapshot(f"{url}/moved").read().image.size
    told.location = "http://192.0.2.1/elsewhere"
    assert fails(snapshot(f"{url}/moved").read) == ("gone", "status")


def test_nobody_there_and_who_never_answers():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        source = snapshot(f"http://127.0.0.1:{port}/")
        assert fails(lambda: source.read(0.3)) == ("silent", "silent")
    assert fails(snapshot(f"http://127.0.0.1:{port}/").read) == ("gone", "unreachable")


def test_a_drip_does_not_outlast_the_time_out():
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def drip():
            peer, _ = server.accept()
            with peer:
                for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000:
                    if stop.wait(0.05):
                        return
                    peer.sendall(bytes([byte]))

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        source = snapshot(f"http://127.0.0.1:{server.getsockname()[1]}/")
        assert fails(lambda: source.read(0.5)) == ("silent", "silent")
        stop.set()
        thread.join(5)


def test_what_speaks_no_http_is_said():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def ssh():
            peer, _ = server.accept()
            with peer:
                peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
                peer.recv(1000)

        thread = threading.Thread(target=ssh, daemon=True)
        thread.start()
        source = snapshot(f"http://127.0.0.1:{server.getsockname()[1]}/")
        assert fails(source.read) == ("corrupt", "no_answer")
        thread.join(5)


def stream(url, **keys):
    keys = {"every_s": 0.0, **keys}
    return open_source(Camera(name="a", kind="mjpeg", url=url, **keys))


def part(picture):
    return b"--b\r\nContent-Type: image/jpeg\r\n\r\n" + picture + b"\r\n"


def test_a_stream_gives_its_newest_and_passes_cut_ones_over(served):
    told, url = served
    told.type = "multipart/x-mixed-replace; boundary=--b"
    small, large = jpeg(1, 64, 48), jpeg(2, 80, 48)
    told.parts = [
        part(small)[:-700],
        part(small) + part(large)[:300],
        part(large)[300:],
    ]
    told.hold.set()
    source = stream(url)

    widths = []

    def read_on():
        while True:
            widths.append(source.read().image.shape[1])

    assert fails(read_on) == ("gone", "closed")
    source.close()

    assert set(widths) <= {64, 80}
    assert widths[-1] == 80


def test_a_stream_that_stops_is_silent_and_one_of_cut_pictures_corrupt(served):
    told, url = served
    told.type = "multipart/x-mixed-replace; boundary=b"
    told.parts = [part(jpeg())]
    source = stream(url)
    assert source.read().image.size
    assert fails(lambda: source.read(0.3)) == ("silent", "silent")
    source.close()

    told.parts = [part(jpeg()[:900]), part(jpeg()[:700])]
    source = stream(url)
    assert fails(lambda: source.read(0.3)) == ("corrupt", "truncated")
    source.close()


def test_a_stream_that_is_a_still_says_so(served):
    _, url = served
    assert fails(lambda: stream(url)) == ("corrupt", "is_still")
