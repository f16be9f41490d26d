// SPDX-License-Identifier: Apache-2.0
// The application for black-box tests. The cases of tests/conformance rely on its paths.
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include <unistd.h>

#include <rondo/web.hpp>

#include "calls.hpp"
#include "hooks.hpp"
#include "isolated.hpp"
#include "probes.hpp"
#include "static_files.hpp"

namespace testbed {
namespace {

using namespace std::chrono_literals;
using rondo::request;
using rondo::response;
using rondo::task;

constexpr std::size_t large_size = 16U << 20;
constexpr std::size_t block_size = 256U << 10;

task<response> ok(request&) { co_return rondo::text("ok\n"); }

task<response> echo(request& req) {
    const std::string_view type = req.field("Content-Type").value_or("application/octet-stream");
    co_return rondo::bytes(std::string(co_await req.read_all()), type);
}

// One character per byte: bytes outside ASCII are written as U+0080 to U+00FF.
void append_quoted(std::string& out, std::string_view bytes) {
    out += '"';
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\') {
            out += c;
        } else {
            char escape[7];
            std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(byte));
            out += escape;
        }
    }
    out += '"';
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
    append_quoted(out, name);
    out += ':';
    append_quoted(out, value);
    out += ',';
}

std::string lower(std::string_view name) {
    std::string out(name);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

task<response> reflect(request& req) {
    const std::string_view body = co_await req.read_all();
    std::string out = "{";
    append_member(out, "method", req.method_text());
    append_member(out, "target", req.target());
    append_member(out, "path", req.path());
    append_member(out, "host", req.host());
    append_member(out, "peer", req.peer_address());
    append_member(out, "port", std::to_string(req.server_request().connection->peer_port()));
    append_member(out, "scheme", req.scheme());
    append_member(out, "body", body);
    out += "\"headers\":[";
    std::string_view separator;
    for (const auto field : req.fields()) {
        out += separator;
        out += '[';
        append_quoted(out, lower(field.name));
        out += ',';
        append_quoted(out, field.value);
        out += ']';
        separator = ",";
    }
    out += "]}\n";
    co_return rondo::json_text(std::move(out));
}

task<response> empty(request&) { co_return rondo::no_content(); }

task<response> not_modified(request&) { co_return rondo::status(304); }

task<response> slow(request&) {
    co_await rondo::sleep(1s);
    co_return rondo::text("slow\n");
}

response slow_sync(request&) {
    std::this_thread::sleep_for(1s);
    return rondo::text("slow\n");
}

task<void> write_large(rondo::writer& out) {
    static const std::string block(block_size, 'x');
    for (std::size_t sent = 0; sent < large_size; sent += block_size) co_await out.write(block);
}

task<response> large(request&) { co_return rondo::stream(write_large, "application/octet-stream", large_size); }

rondo::async_generator<std::string> lines() {
    for (int i = 1; i <= 5; ++i) co_yield "line " + std::to_string(i) + "\n";
}

task<response> stream(request&) { co_return rondo::stream(lines()); }

task<response> set_header(request& req) { co_return rondo::text("set\n").field("X-Out", req.query("v").value_or("")); }

bool is_probe(request& req) { return req.query("probe") == "1"; }

task<response> raise(request& req) {
    if (is_probe(req)) co_return rondo::text("here\n");
    throw std::runtime_error("secret-detail");
}

// The pause lets `first` reach the client: data that is still unsent would be discarded.
task<void> fail_midway(rondo::writer& out) {
    co_await out.write("first");
    co_await rondo::sleep(50ms);
    throw std::runtime_error("secret-detail");
}

task<response> raise_mid(request& req) {
    if (is_probe(req)) co_return rondo::text("here\n");
    co_return rondo::stream(fail_midway);
}

task<void> write_ten(rondo::writer& out) { co_await out.write("0123456789"); }

task<response> declare_too_much(request& req) {
    if (is_probe(req)) co_return rondo::text("here\n");
    co_return rondo::stream(write_ten, rondo::plain_text, 100);
}

task<response> declare_too_little(request& req) {
    if (is_probe(req)) co_return rondo::text("here\n");
    co_return rondo::stream(write_ten, rondo::plain_text, 5);
}

task<response> form(request& req) {
    const rondo::form_data& sent = co_await req.form();
    co_return rondo::text(std::to_string(sent.size()) + "\n");
}

void add_views(rondo::app& app, const static_files& files) {
    app.get("/", ok);
    app.any("/echo", echo);
    app.any("/reflect", reflect);
    app.get("/empty", empty);
    app.get("/notmodified", not_modified);
    app.get("/slow", slow);
    app.get("/slow-sync", slow_sync);
    app.get("/large", large);
    app.get("/stream", stream);
    app.get("/static/<path:name>", rondo::static_folder(files.path()));
    app.get("/setheader", set_header);
    app.get("/raise", raise);
    app.get("/raise-mid", raise_mid);
    app.get("/short", declare_too_much);
    app.get("/long", declare_too_little);
    app.post("/form", form);
    app.mount("/_test", probes(app));
    add_calls(app);
    add_isolated(app);
    add_hooks(app);
}

// For tests of workers that fail to start (the file named by TESTBED_FAILS exists) or start late (after TESTBED_SLEEPS
// seconds).
void fail_on_purpose() {
    if (const char* seconds = std::getenv("TESTBED_SLEEPS")) std::this_thread::sleep_for(1s * std::atoi(seconds));
    const char* file = std::getenv("TESTBED_FAILS");
    if (file != nullptr && access(file, F_OK) == 0) throw std::runtime_error("the start fails on purpose");
}

// Output of the program itself, which is not flushed.
void print() {
    if (std::getenv("TESTBED_PRINTS") != nullptr) std::printf("printed\n");
}

int run(int argc, char** argv) {
    const static_files files;
    rondo::app app;
    add_views(app, files);
    app.on_start(fail_on_purpose);
    app.on_start(print);
    print();
    return rondo::run(app, argc, argv);
}

}  // namespace
}  // namespace testbed

int main(int argc, char** argv) {
    try {
        return testbed::run(argc, argv);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "testbed: %s\n", e.what());
        return 1;
    }
}
