# SPDX-License-Identifier: Apache-2.0
"""The scope of a request: every entry, and what proxies, unix sockets and HTTP/1.0 change."""
import json
import socket
import tempfile
import unittest

from python_server import ALL_PYTHONS, PYTHONS, Client, PythonServer, SharedServers, each_server


def raw(text):
    return {"bytes": text}


class ScopeTest(SharedServers):
    app = "scopes:app"

    def scope(self, server, target="/", *fields, **arguments):
        return self.get(server, target, *fields, **arguments).json()


class Entries(ScopeTest):
    @each_server(pythons=ALL_PYTHONS)
    def test_all_entries_and_their_types(self, server):
        with Client(server) as client:
            client.request("GET", "/a/b?c=d")
            scope = client.response().json()
            port = client.socket.getsockname()[1]
        types = scope.pop("types")
        self.assertEqual(scope, {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.5"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": "/a/b", "raw_path": raw("/a/b"), "query_string": raw("c=d"), "root_path": "",
            "headers": [[raw("host"), raw("test")]], "client": ["127.0.0.1", port], "server": ["127.0.0.1", server.port],
            "state": scope["state"], "extensions": scope["extensions"]})
        self.assertEqual({k: types[k] for k in ("path", "raw_path", "query_string", "root_path", "state", "extensions", "asgi")},
                         {"path": "str", "raw_path": "bytes", "query_string": "bytes", "root_path": "str", "state": "dict",
                          "extensions": "dict", "asgi": "dict"})

    @each_server()
    def test_methods(self, server):
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "get"):
            self.assertEqual(self.scope(server, "/", method=method)["method"], method)
        self.assertEqual(self.get(server, "/", method="HEAD").status, 200)

    @each_server()
    def test_http_version(self, server):
        for version in ("1.0", "1.1"):
            self.assertEqual(self.scope(server, version=version)["http_version"], version)

    @each_server()
    def test_path_is_decoded_and_raw_path_is_not(self, server):
        for target, path in (("/caf%C3%A9/%20x", "/caf\xe9/ x"), ("/a%2fb%2Fc%20d", "/a/b/c d"), ("/a//b/./c", "/a//b/./c"),
                             ("/%41;b=c,d", "/A;b=c,d"), ("/a+b", "/a+b"), ("/%25", "/%")):
            scope = self.scope(server, target + "?q=%2f")
            self.assertEqual((scope["path"], scope["raw_path"], scope["query_string"]), (path, raw(target), raw("q=%2f")), target)

    @each_server()
    def test_query_string_is_raw(self, server):
        for query in ("a=%20b+c&d=%C3%A9&&e", "?", "", "a=b?c/d"):
            self.assertEqual(self.scope(server, "/?" + query)["query_string"], raw(query))

    @each_server()
    def test_a_path_that_is_not_utf_8_is_no_error_of_the_server(self, server):
        for target in ("/%ff%fe", "/%c3", "/%ed%a0%80"):
            self.assertIn(self.get(server, target).status, (200, 400), target)

    @each_server()
    def test_absolute_and_asterisk_targets(self, server):
        scope = self.scope(server, "http://test/absolute/x?q=1")
        self.assertEqual((scope["path"], scope["raw_path"], scope["query_string"]), ("/absolute/x", raw("/absolute/x"), raw("q=1")))
        r = self.get(server, "*", method="OPTIONS")
        self.assertIn(r.status, (200, 204, 400))

    @each_server()
    def test_headers_keep_order_duplicates_and_bytes(self, server):
        fields = ("X-A: 1", "Cookie: a=1", "X-B:\t 2 ", "Cookie: b=2", "x-a: 3", "X-Latin: caf\xe9", "X-Empty:", "X-UPPER-" + "L" * 200 + ": v")
        scope = self.scope(server, "/", *fields)
        self.assertEqual(scope["headers"][1:], [[raw(n.lower()), raw(v)] for n, v in (
            ("x-a", "1"), ("cookie", "a=1"), ("x-b", "2"), ("cookie", "b=2"), ("x-a", "3"), ("x-latin", "caf\xe9"), ("x-empty", ""),
            ("X-UPPER-" + "L" * 200, "v"))])

    @each_server()
    def test_the_state_is_a_shallow_copy(self, server):
        first, second = self.scope(server)["state"], self.scope(server)["state"]
        self.assertEqual((first["own"], second["own"]), ("original", "original"))
        self.assertEqual(len(second["shared"]), len(first["shared"]) + 1)
        self.assertEqual(self.scope(server)["asgi"]["version"], "3.0")

    @each_server()
    def test_extensions_depend_on_the_client(self, server):
        def names(*fields, version="1.1"):
            return {n.removeprefix("http.response.") for n in self.scope(server, "/", *fields, version=version)["extensions"]}

        always = {"pathsend", "zerocopysend"}
        self.assertEqual(names(), always | {"early_hint"})
        self.assertEqual(names("TE: trailers"), always | {"early_hint", "trailers"})
        self.assertEqual(names("TE: gzip;q=0.5, Trailers"), always | {"early_hint", "trailers"})
        self.assertEqual(names("TE: gzip"), always | {"early_hint"})
        self.assertEqual(names("TE: trailers", version="1.0"), always)


class Proxies(ScopeTest):
    @each_server("--root-path", "/base")
    def test_root_path_whether_the_proxy_strips_it_or_not(self, server):
        for target, path in (("/base/x", "/base/x"), ("/x", "/base/x"), ("/base", "/base"), ("/basement", "/base/basement"), ("/", "/base/"),
                             ("/base/%41", "/base/A"), ("/%41", "/base/A")):
            scope = self.scope(server, target)
            self.assertEqual((scope["root_path"], scope["path"], scope["raw_path"]), ("/base", path, raw(target)), target)

    @each_server("--root-path", "/base/")
    def test_root_path_has_no_slash_at_its_end(self, server):
        self.assertEqual(self.scope(server, "/x")["root_path"], "/base")

    @each_server("--forwarded-allow-ips", "127.0.0.1")
    def test_fields_of_a_trusted_proxy(self, server):
        scope = self.scope(server, "/", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
        self.assertEqual((scope["scheme"], scope["client"][0]), ("https", "203.0.113.9"))
        self.assertEqual([type(v).__name__ for v in scope["client"]], ["str", "int"])
        scope = self.scope(server, "/", 'Forwarded: for="[2001:db8::1]:4711";proto=https')
        self.assertEqual((scope["scheme"], scope["client"]), ("https", ["2001:db8::1", 4711]))
        scope = self.scope(server, "/")
        self.assertEqual((scope["scheme"], scope["client"][0]), ("http", "127.0.0.1"))

    @each_server()
    def test_fields_of_others_are_ignored(self, server):
        scope = self.scope(server, "/", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "Forwarded: for=1.2.3.4;proto=https")
        self.assertEqual((scope["scheme"], scope["client"][0]), ("http", "127.0.0.1"))


class Listeners(unittest.TestCase):
    def test_a_unix_socket(self):
        for python in PYTHONS:
            with self.subTest(python=python), tempfile.TemporaryDirectory() as folder:
                with PythonServer("scopes:app", bind=f"unix:{folder}/socket", python=python) as server, Client(server) as client:
                    client.request("GET", "/")
                    scope = client.response().json()
                    self.assertEqual((scope["server"], scope["client"]), ([f"{folder}/socket", None], None))

    @unittest.skipUnless(socket.has_ipv6, "no IPv6")
    def test_ipv6(self):
        with PythonServer("scopes:app", bind="[::1]:0") as server:
            port = int(server.urls[0].rsplit(":", 1)[1])
            with socket.create_connection(("::1", port)) as s:
                s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                scope = json.loads(s.makefile("rb").read().partition(b"\r\n\r\n")[2])
                self.assertEqual((scope["server"], scope["client"]), (["::1", port], ["::1", s.getsockname()[1]]))

    def test_a_wildcard_address_is_that_of_the_connection(self):
        with PythonServer("scopes:app", bind="0.0.0.0:0") as server:
            scope = server.get_json("/")
            self.assertEqual(scope["server"], ["127.0.0.1", server.port])

    def test_each_of_several_listeners(self):
        with PythonServer("scopes:app", "--bind", "127.0.0.2:0") as server:
            for url in server.urls:
                host, _, port = url.removeprefix("http://").rpartition(":")
                with socket.create_connection((host, int(port))) as s:
                    s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    scope = json.loads(s.makefile("rb").read().partition(b"\r\n\r\n")[2])
                self.assertEqual(scope["server"], [host, int(port)])


if __name__ == "__main__":
    unittest.main(warnings="ignore")
