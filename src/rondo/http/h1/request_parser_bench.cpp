// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string_view>

#include <benchmark/benchmark.h>

#include <rondo/http/h1/request_parser.hpp>

namespace {

using namespace rondo::http;

constexpr std::string_view small_head = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

constexpr std::string_view browser_head =
    "GET /articles/2024/the-way-of-a-request?page=2&sort=new HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Referer: https://www.example.com/articles/\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9\r\n"
    "Cookie: session=6f1c9a2e4b7d\r\n\r\n";

void parse(benchmark::State& state, std::string_view bytes) {
    std::array<field_ref, 100> storage;
    h1::request_head head;
    const h1::parse_limits limits;
    for (auto _ : state) {
        benchmark::DoNotOptimize(bytes.data());
        const auto parsed = h1::parse_request_head(bytes, limits, storage, head);
        if (!parsed) state.SkipWithError("parsing failed");
        benchmark::DoNotOptimize(head);
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes.size()) * static_cast<std::int64_t>(state.iterations()));
}

BENCHMARK_CAPTURE(parse, small, small_head);
BENCHMARK_CAPTURE(parse, browser, browser_head);

}  // namespace
