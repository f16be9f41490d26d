# SPDX-License-Identifier: Apache-2.0
"""The client address of a request: from the fields of trusted proxies and the PROXY protocol, and from no other source."""
import json
import socket
import struct
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import Server, each_backend, read_all, run  # noqa: E402

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def request(*fields, host="here.example"):
    lines = ["GET /reflect HTTP/1.1", f"Host: {host}", "Connection: close", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def reflected(response):
    head, _, body = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), response
    return json.loads(body)


def binary(source, port, command=1, family=0x11, more=b""):
    destination = b"\x7f\0\0\1" if family == 0x11 else b"\0" * 15 + b"\1"
    addresses = source + destination + struct.pack("!HH", port, 80) + more
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(addresses)) + addresses


def refused(server, data):
    """True when the connection closes without a response, possibly while the client connects or sends."""
    try:
        return server.exchange(data) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True


class Fields(unittest.TestCase):
    def client_of(self, server, *fields):
        """(peer, scheme, host) of a request with these fields."""
        seen = reflected(server.exchange(request(*fields)))
        return seen["peer"], seen["scheme"], seen["host"]

    @each_backend
    def test_no_peer_is_trusted_by_default(self, backend):
        with Server("--backend", backend) as server:
            self.assertEqual(self.client_of(server, "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil",
                                      "Forwarded: for=6.6.6.6;proto=https;host=evil"), ("127.0.0.1", "http", "here.example"))

    def test_peers_outside_the_list_are_not_trusted(self):
        with Server("--forwarded-allow-ips", "10.0.0.0/8,127.0.0.2,unix") as server:
            self.assertEqual(self.client_of(server, "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https"),
                             ("127.0.0.1", "http", "here.example"))

    @each_backend
    def test_chains(self, backend):
        with Server("--backend", backend, "--forwarded-allow-ips", "127.0.0.1,10.0.0.0/8,fd00::/8") as server:
            for fields, peer in {
                    ("X-Forwarded-For: 203.0.113.7",): "203.0.113.7",
                    ("X-Forwarded-For: 6.6.6.6, 203.0.113.7",): "203.0.113.7",
                    ("X-Forwarded-For: 6.6.6.6, 203.0.113.7, 10.0.0.2, fd00::3",): "203.0.113.7",
                    ("X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 203.0.113.7:4711, 10.0.0.2"): "203.0.113.7",
                    ("X-Forwarded-For: [2001:DB8::7]:80",): "2001:db8::7",
                    ("X-Forwarded-For: unknown",): "127.0.0.1",
                    ("X-Forwarded-For: 203.0.113.7, _hidden, 10.0.0.2",): "10.0.0.2",
                    ("X-Forwarded-For: <b>",): "127.0.0.1",
                    ('Forwarded: for=6.6.6.6, for="[2001:db8::7]:80";proto=https, for=10.0.0.2',): "2001:db8::7",
                    ('Forwarded: for=", for=203.0.113.7',): "203.0.113.7",
                    ("Forwarded: for=6.6.6.6", "X-Forwarded-For: 203.0.113.7"): "203.0.113.7",
                    (): "127.0.0.1"}.items():
                self.assertEqual(self.client_of(server, *fields)[0], peer, fields)

    def test_scheme_and_host(self):
        with Server("--forwarded-allow-ips", "127.0.0.1") as server:
            self.assertEqual(self.client_of(server, "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https",
                                      "X-Forwarded-Host: shop.example:8443"), ("203.0.113.7", "https", "shop.example:8443"))
            self.assertEqual(self.client_of(server, 'Forwarded: for=203.0.113.7;proto=https;host="shop.example"'),
                             ("203.0.113.7", "https", "shop.example"))
            self.assertEqual(self.client_of(server, "X-Forwarded-Proto: gopher", "X-Forwarded-Host: a b"),
                             ("127.0.0.1", "http", "here.example"))

    def test_forwarded_fields_setting(self):
        both = ("Forwarded: for=1.1.1.1", "X-Forwarded-For: 2.2.2.2")
        for which, peer in {"auto": "2.2.2.2", "x-forwarded": "2.2.2.2", "forwarded": "1.1.1.1"}.items():
            with Server("--forwarded-allow-ips", "*", "--forwarded-fields", which) as server:
                self.assertEqual(self.client_of(server, *both)[0], peer)

    def test_each_request_of_a_connection_is_evaluated_separately(self):
        with Server("--forwarded-allow-ips", "127.0.0.1", "--access-log", "-") as server, server.connect() as s:
            for line, peer in (("X-Forwarded-For: 203.0.113.7\r\n", "203.0.113.7"), ("", "127.0.0.1"), ("X-Forwarded-For: 203.0.113.8\r\n", "203.0.113.8")):
                s.sendall(f"GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n".encode())
                self.assertIn(b"200 OK", s.recv(4096))
                server.wait_for_output(rf"(?m)^{peer} - - ")

    @each_backend
    def test_peer_of_a_unix_socket(self, backend):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            path = f"{folder}/app.sock"
            for allowed, peer in (("unix", "203.0.113.7"), ("127.0.0.1", "unix")):
                with Server("--backend", backend, "--forwarded-allow-ips", allowed, bind="unix:" + path):
                    with socket.socket(socket.AF_UNIX) as s:
                        s.settimeout(10)
                        s.connect(path)
                        s.sendall(request("X-Forwarded-For: 203.0.113.7"))
                        self.assertEqual(reflected(read_all(s))["peer"], peer)


class ProxyProtocol(unittest.TestCase):
    @each_backend
    def test_accepts_valid_headers(self, backend):
        with Server("--backend", backend, "--proxy-protocol") as server:
            for header, peer, port, scheme in (
                    (b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n", "203.0.113.7", "4711", "http"),
                    (b"PROXY TCP6 2001:db8::7 ::1 4711 80\r\n", "2001:db8::7", "4711", "http"),
                    (binary(b"\xcb\x00\x71\x07", 4711), "203.0.113.7", "4711", "http"),
                    (binary(b"\xcb\x00\x71\x07", 4711, more=b"\x20\0\5\1\0\0\0\0"), "203.0.113.7", "4711", "https"),
                    (binary(b"\x20\x01\x0d\xb8" + b"\0" * 11 + b"\7", 4711, family=0x21), "2001:db8::7", "4711", "http")):
                seen = reflected(server.exchange(header + request()))
                self.assertEqual((seen["peer"], seen["port"], seen["scheme"]), (peer, port, scheme), header)
            for header in (b"PROXY UNKNOWN\r\n", binary(b"\xcb\x00\x71\x07", 4711, command=0)):
                self.assertEqual(reflected(server.exchange(header + request()))["peer"], "127.0.0.1")

    @each_backend
    def test_accepts_a_header_sent_byte_by_byte(self, backend):
        with Server("--backend", backend, "--proxy-protocol") as server:
            for header in (b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n", binary(b"\xcb\x00\x71\x07", 4711)):
                with server.connect() as s:
                    for byte in header + request():
                        s.sendall(bytes([byte]))
                    self.assertEqual(reflected(read_all(s))["peer"], "203.0.113.7")

    @each_backend
    def test_refuses_anything_else(self, backend):
        with Server("--backend", backend, "--proxy-protocol") as server:
            for bad in (request(), b"PROXY TCP4 x y 1 2\r\n" + request(), b"PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n" + request(),
                        SIGNATURE + b"\x31\x11\0\0" + request(), binary(b"\xcb\x00\x71\x07", 4711, family=0x12) + request(),
                        b"PROXY " + b"x" * 200):
                self.assertTrue(refused(server, bad), bad)
            server.wait_for_log("refused a connection from 127.0.0.1 .*no valid PROXY header")
            self.assertEqual(server.log.count("refused a connection from"), 1)  # one line for all of them
            self.assertEqual(server.exchange(b"PROXY UNKNOWN\r\n" + request())[:15], b"HTTP/1.1 200 OK")

    @each_backend
    def test_refuses_peers_outside_the_list(self, backend):
        with Server("--backend", backend, "--proxy-protocol", "--proxy-allow-ips", "10.0.0.0/8") as server:
            self.assertTrue(refused(server, b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n" + request()))
            self.assertTrue(refused(server, request()))
            server.wait_for_log("refused a connection from 127.0.0.1 .*not in proxy-allow-ips")

    @each_backend
    def test_a_missing_header_times_out(self, backend):
        with Server("--backend", backend, "--proxy-protocol", "--header-timeout", "300ms") as server:
            for start in (b"", b"PROXY TCP4 203.0.113.7", SIGNATURE):
                self.assertTrue(refused(server, start))  # the server closes it
            self.assertIn(b"408", server.exchange(b"PROXY UNKNOWN\r\nGET"))

    def test_a_client_that_disconnects_before_the_header_ends(self):
        with Server("--proxy-protocol") as server:
            for start in (b"", b"PROXY "):
                with server.connect() as s:
                    s.sendall(start)
            self.assertEqual(server.exchange(b"PROXY UNKNOWN\r\n" + request())[:15], b"HTTP/1.1 200 OK")

    def test_without_the_setting_a_header_is_a_bad_request(self):
        with Server() as server:
            self.assertIn(b"400", server.exchange(b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n" + request())[:15])

    def test_forwarded_fields_are_trusted_by_the_address_in_the_header(self):
        header = b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n"
        with Server("--proxy-protocol", "--forwarded-allow-ips", "127.0.0.1") as server:
            self.assertEqual(reflected(server.exchange(header + request("X-Forwarded-For: 6.6.6.6")))["peer"], "203.0.113.7")
        with Server("--proxy-protocol", "--forwarded-allow-ips", "203.0.113.7") as server:
            self.assertEqual(reflected(server.exchange(header + request("X-Forwarded-For: 1.2.3.4")))["peer"], "1.2.3.4")

    def test_access_log(self):
        with Server("--proxy-protocol", "--access-log", "-") as server:
            server.exchange(b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n" + request())
            server.wait_for_output(r"(?m)^203\.0\.113\.7 - - ")


class Errors(unittest.TestCase):
    def test_rejects_invalid_lists(self):
        for option in ("--forwarded-allow-ips", "--proxy-allow-ips"):
            for bad in ("localhost", "10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/8 ", "all"):
                status, _, errors = run("check", option, bad)
                self.assertEqual(status, 2)
                self.assertIn(f"{option}: '{bad}' ", errors)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
