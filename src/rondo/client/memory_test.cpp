// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include <malloc.h>

#include <rondo/base/frame_memory.hpp>
#include <rondo/client/calls_fixture.hpp>
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

class memory : public testing::calls {};
INSTANTIATE_TEST_SUITE_P(backends, memory, ::testing::ValuesIn(testing::all_backends()), testing::backend_name);

constexpr int call_count = 400;

struct held_back {
    event answer;
    int asked = 0;
};

task<void> answers_later(held_back* const& held, upstream::peer& p) {
    (void)co_await p.head();
    ++held->asked;
    co_await held->answer.wait();
    p.say(ok_text("x"));
}

task<void> calls_and_looks(client& http, std::string url, held_back& held, std::size_t& bytes) {
    const std::size_t before = ::mallinfo2().uordblks;
    std::vector<task<client_response>> all;
    for (int i = 0; i < call_count; ++i) all.push_back(http.get(url));
    const auto measure = [](held_back& h, std::size_t& used, std::size_t at_first) -> task<void> {
        while (h.asked < call_count) co_await event_loop::current().sleep(std::chrono::milliseconds(1));
        used = ::mallinfo2().uordblks - at_first;
        h.answer.set();
    };
    auto [answers, nothing] = co_await when_all(when_all(std::move(all)), measure(held, bytes, before));
    for (const client_response& r : answers) EXPECT_EQ(r.body(), "x");
}

TEST_P(memory, a_waiting_call_uses_little_memory) {
#ifdef RONDO_SANITIZED
    GTEST_SKIP() << "sanitizers replace the allocator";
#endif
    frame_memory::trim();
    held_back held;
    upstream up(loop(), upstream::with(&held, answers_later));
    client_options options;
    options.connections_per_origin = call_count;
    client http(options);
    std::size_t bytes = 0;
    run(calls_and_looks(http, up.url(), held, bytes));
    // Includes the server side of the test; not optimised.
    EXPECT_LT(bytes / call_count, 8u * 1024);
    RecordProperty("bytes_per_call", static_cast<int>(bytes / call_count));
}

}  // namespace
}  // namespace rondo
