// SPDX-License-Identifier: Apache-2.0
// In steady state a request causes no allocation. Counts every operator new of the server's thread.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include <rondo/server/server_fixture.hpp>
#include <rondo/web.hpp>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RONDO_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RONDO_SANITIZED 1
#endif

namespace {

thread_local bool counted_thread = false;
std::atomic<long> allocations{0};

#ifndef RONDO_SANITIZED
void* allocate(std::size_t size, std::size_t alignment) {
    if (counted_thread) allocations.fetch_add(1, std::memory_order_relaxed);
    void* p = alignment <= alignof(std::max_align_t)
                  ? std::malloc(size)
                  : std::aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
    if (!p) throw std::bad_alloc();
    return p;
}
#endif

}  // namespace

#ifndef RONDO_SANITIZED
void* operator new(std::size_t size) { return allocate(size, 1); }
void* operator new[](std::size_t size) { return allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t a) { return allocate(size, static_cast<std::size_t>(a)); }
void* operator new[](std::size_t size, std::align_val_t a) { return allocate(size, static_cast<std::size_t>(a)); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
#endif

namespace rondo {
namespace {

using server::testing::client;
using server::testing::test_server;

constexpr int warm_up = 200;
constexpr int requests = 10'000;

task<response> hello(request&) { co_return text("Hello, World!"); }
task<response> article(request&, int year, std::string_view name) {
    co_return text(name.size() + static_cast<std::size_t>(year) ? "found" : "");
}
task<response> after_a_wait(request&) {
    co_await sleep(std::chrono::milliseconds(0));
    co_return text("Hello, World!");
}

class allocation : public ::testing::TestWithParam<backend_kind> {
protected:
    void SetUp() override {
#ifdef RONDO_SANITIZED
        GTEST_SKIP() << "sanitizers replace the allocator";
#endif
        app_.get("/", hello);
        app_.get("/articles/<int:year>/<slug:name>", article);
        app_.get("/wait", after_a_wait);
    }

    // Allocations of the server for `rounds` bursts of `burst` requests each, after a warm-up.
    long cost_of(std::string_view request_text, std::size_t burst, int rounds) {
        test_server s(app_, GetParam(), {}, [] { counted_thread = true; });
        client c(s);
        std::string sent;
        for (std::size_t i = 0; i < burst; ++i) sent += request_text;
        EXPECT_TRUE(c.send(request_text));
        std::string first = c.response();
        EXPECT_TRUE(first.starts_with("HTTP/1.1 200 OK")) << first;
        std::size_t size = first.size() * burst;
        long before = 0;
        for (int i = -warm_up; i < rounds; ++i) {
            if (i == 0) before = allocations;
            EXPECT_TRUE(c.send(sent));
            EXPECT_EQ(c.receive_exactly(size).size(), size);
        }
        return allocations - before;
    }

    app app_;
};

constexpr std::string_view plain = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr std::string_view browser =
    "GET /?a=1&b=2 HTTP/1.1\r\nHost: localhost:8000\r\nConnection: keep-alive\r\nCache-Control: max-age=0\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\nCookie: "
    "session=0123456789abcdef; theme=dark\r\n\r\n";

TEST_P(allocation, none_per_request) { EXPECT_EQ(cost_of(plain, 1, requests), 0); }

TEST_P(allocation, none_per_request_of_a_browser) { EXPECT_EQ(cost_of(browser, 1, requests), 0); }

TEST_P(allocation, none_per_pipelined_request) { EXPECT_EQ(cost_of(plain, 16, requests / 16), 0); }

TEST_P(allocation, none_per_request_with_parameters) {
    EXPECT_EQ(cost_of("GET /articles/2026/rondo HTTP/1.1\r\nHost: a\r\n\r\n", 1, requests), 0);
}

TEST_P(allocation, none_per_request_that_waits) {
    EXPECT_EQ(cost_of("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n", 1, requests), 0);
}

INSTANTIATE_TEST_SUITE_P(all, allocation, ::testing::Values(backend_kind::epoll, backend_kind::io_uring),
                         [](const auto& info) { return info.param == backend_kind::epoll ? "epoll" : "io_uring"; });

}  // namespace
}  // namespace rondo
