"""A camera on HTTP with the standard library's server, and what it may do wrong."""

from __future__ import annotations

import hashlib
import re
import threading
from base64 import b64encode
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

USER, PASSWORD = "viewer", 'p:a"ss\\'


def jpeg(seed=1, width=160, height=96):
    """A noisy picture's JPEG; noise makes many stuffed bytes."""
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3))
    return cv2.imencode(".jpg", noise.astype(np.uint8))[1].tobytes()


class Told:
    """How the server behaves; changed while it runs."""

    def __init__(self):
        self.auth = None  # basic, MD5, SHA-256, MD5-sess
        self.body = jpeg()
        self.type = "image/jpeg"
        self.status = 200
        self.length = None
        self.cut = None
        self.chunked = False
        self.parts = []  # bytes as they are sent after the head
        self.hold = threading.Event()  # what it waits for after the parts
        self.asked = 0
        self.nonce = "abc123"
        self.stale_once = False
        self.location = None


def _handler(told):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def do_GET(self):
            told.asked += 1
            if self.path == "/moved" and told.location:
                self._head(302, {"Location": told.location, "Content-Length": "0"})
            elif not self._known():
                return
            elif told.status != 200:
                self._head(told.status, {"Content-Length": "0"})
            elif told.parts:
                self._head(200, {"Content-Type": told.type})
                for part in told.parts:
                    self.wfile.write(part)
                    self.wfile.flush()
                told.hold.wait(20)
            elif told.chunked:
                told_head = {"Content-Type": told.type, "Transfer-Encoding": "chunked"}
                self._head(200, told_head)
                for i in range(0, len(told.body), 1000):
                    piece = told.body[i : i + 1000]
                    size = f"{len(piece):x};x=1\r\n".encode()
                    self.wfile.write(size + piece + b"\r\n")
                self.wfile.write(b"0\r\n\r\n")
            else:
                length = told.length if told.length is not None else len(told.body)
                self._head(200, {"Content-Type": told.type, "Content-Length": length})
                self.wfile.write(told.body[: told.cut])
            self.close_connection = True

        def _head(self, status, headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, str(value))
            self.end_headers()

        def _known(self):
            if told.auth is None:
                return True
            given = self.headers.get("Authorization", "")
            if told.auth == "basic":
                wanted = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
                offer = 'Basic realm="cam"'
                good = given == wanted
            else:
                good = self._digest(given)
                stale = ', stale="TRUE"' if good and told.stale_once else ""
                if good and told.stale_once:
                    told.stale_once, told.nonce, good = False, "fresh456", False
                offer = (
                    f'Digest realm="ca, m", qop="auth,auth-int", nonce="{told.nonce}", '
                    f'opaque="o", algorithm={told.auth}{stale}'
                )
            if not good:
                self.send_response(401)
                self.send_header("WWW-Authenticate", offer)
                self.send_header("Content-Length", "0")
                self.end_headers()
                self.close_connection = True
            return good

        def _digest(self, given):
            fields = {
                name: quoted.replace('\\"', '"').replace("\\\\", "\\") or plain
                for name, quoted, plain in re.findall(
                    r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^,\s]+))', given
                )
            }
            if not given.startswith("Digest ") or fields.get("nonce") != told.nonce:
                return False

            def h(text):
                name = "sha256" if told.auth.startswith("SHA-256") else "md5"
                return hashlib.new(name, text.encode()).hexdigest()

            a1 = h(f"{USER}:ca, m:{PASSWORD}")
            if told.auth.endswith("-sess"):
                a1 = h(f"{a1}:{told.nonce}:{fields['cnonce']}")
            a2 = h(f"GET:{self.path}")
            middle = f"{told.nonce}:{fields['nc']}:{fields['cnonce']}:auth"
            return fields["response"] == h(f"{a1}:{middle}:{a2}")

    return Handler


@contextmanager
def http_camera():
    """A running camera; yields how it behaves and its address."""
    told = Told()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(told))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield told, f"http://127.0.0.1:{server.server_port}"
    finally:
        told.hold.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
