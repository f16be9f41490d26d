// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include <malloc.h>

#include <rondo/base/frame_memory.hpp>
#include <rondo/client/client_fixture.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/coro/when_all.hpp>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RONDO_SANITIZED 1
#endif
#endif

namespace rondo {
namespace {

using testing::ok_text;
using testing::upstream;

class ClientMemory : public testing::client_fixture {};
INSTANTIATE_TEST_SUITE_P(backends, ClientMemory, ::testing::ValuesIn(testing::available_backends()),
                         testing::backend_name);

constexpr int call_count = 400;

struct delayed_responses {
    event release;
    int received = 0;
};

task<void> respond_when_released(delayed_responses* const& held, upstream::peer& p) {
    (void)co_await p.read_head();
    ++held->received;
    co_await held->release.wait();
    p.send(ok_text("x"));
}

task<void> measure_waiting_calls(client& http, std::string url, delayed_responses& held, std::size_t& bytes) {
    const std::size_t before = ::mallinfo2().uordblks;
    std::vector<task<client_response>> all;
    for (int i = 0; i < call_count; ++i) all.push_back(http.get(url));
    const auto measure = [](delayed_responses& h, std::size_t& used, std::size_t at_first) -> task<void> {
        while (h.received < call_count) co_await event_loop::current().sleep(std::chrono::milliseconds(1));
        used = ::mallinfo2().uordblks - at_first;
        h.release.set();
    };
    auto [answers, nothing] = co_await when_all(when_all(std::move(all)), measure(held, bytes, before));
    for (const client_response& r : answers) EXPECT_EQ(r.body(), "x");
}

TEST_P(ClientMemory, a_waiting_call_uses_little_memory) {
#ifdef RONDO_SANITIZED
    GTEST_SKIP() << "sanitizers replace the allocator";
#endif
    frame_memory::trim();
    delayed_responses held;
    upstream up(loop(), upstream::script_with(&held, respond_when_released));
    client_options options;
    options.max_connections_per_origin = call_count;
    client http(options);
    std::size_t bytes = 0;
    run(measure_waiting_calls(http, up.url(), held, bytes));
    // Includes the server side of the test; not optimised.
    EXPECT_LT(bytes / call_count, 8u * 1024);
    RecordProperty("bytes_per_call", static_cast<int>(bytes / call_count));
}

}  // namespace
}  // namespace rondo
