// SPDX-License-Identifier: Apache-2.0
#include <array>

#include <benchmark/benchmark.h>

#include <rondo/http/h1/response_writer.hpp>

namespace {

using namespace rondo::http;

void write(benchmark::State& state, const h1::response_parts& head) {
    std::array<char, 2048> out;
    for (auto _ : state) benchmark::DoNotOptimize(h1::write_response_head(out.data(), head));
}

void write_usual(benchmark::State& state) {
    h1::response_parts head;
    head.body = h1::framing::length;
    head.content_length = 13;
    head.date = "Sun, 06 Nov 1994 08:49:37 GMT";
    head.content_type = "text/plain; charset=utf-8";
    write(state, head);
}

void write_with_fields(benchmark::State& state) {
    fields more;
    more.add("Cache-Control", "no-cache");
    more.add("ETag", "\"5d8c72a5edda8d6a\"");
    more.add("Set-Cookie", "session=6f1c9a2e4b7d; Path=/; HttpOnly; SameSite=Lax");
    h1::response_parts head;
    head.body = h1::framing::chunked;
    head.date = "Sun, 06 Nov 1994 08:49:37 GMT";
    head.content_type = "text/html; charset=utf-8";
    head.fields = &more;
    write(state, head);
}

BENCHMARK(write_usual);
BENCHMARK(write_with_fields);

}  // namespace
