// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/coro/when_all.hpp>
#include <rondo/web/app.hpp>
#include <rondo/web/app_state.hpp>
#include <rondo/web/isolated/client.hpp>
#include <rondo/web/isolated/fd_passing.hpp>
#include <rondo/web/isolated/processes.hpp>
#include <rondo/web/isolated/protocol.hpp>
#include <rondo/web/test_client.hpp>

namespace rondo {
namespace {

struct view_counters {
    std::atomic<int> factory_calls{0};
    std::atomic<int> active{0};
    std::atomic<int> max_active{0};
};

auto counting_factory(view_counters& w) {
    return [&w] {
        ++w.factory_calls;
        return [&w, state = std::make_unique<std::string>("loaded")](request&, int number) {
            w.max_active = std::max(w.max_active.load(), ++w.active);
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            --w.active;
            return *state + " " + std::to_string(number);
        };
    };
}

task<void> send_number(test_client& client, int number, std::vector<std::string>& bodies) {
    const test_response r = co_await client.async_get("/n/" + std::to_string(number));
    bodies.push_back(r.body);
}

TEST(Isolated, without_processes_loads_once_and_serves_one_request_at_a_time) {
    view_counters w;
    app a;
    a.get("/n/<int:number>", isolated("model", counting_factory(w)));
    test_client client(a);
    EXPECT_EQ(w.factory_calls, 0);
    std::vector<std::string> bodies;
    client.run(
        when_all(send_number(client, 1, bodies), send_number(client, 2, bodies), send_number(client, 3, bodies)));
    EXPECT_EQ(bodies.size(), 3u);
    EXPECT_EQ(client.get("/n/7").body, "loaded 7");
    EXPECT_EQ(client.get("/n/x").status, 404);
    EXPECT_EQ(w.factory_calls, 1);
    EXPECT_EQ(w.max_active, 1);
}

TEST(Isolated, has_a_kind_and_a_name) {
    view_counters w;
    app inner;
    inner.get("/n/<int:number>", isolated("b", counting_factory(w)));
    app a;
    a.get("/n/<int:number>", isolated("c", counting_factory(w)));
    a.get("/m/<int:number>", isolated("c", counting_factory(w)));
    a.mount("/inner", std::move(inner));
    EXPECT_EQ(to_string(a.routes()[0].kind), "isolated");
    EXPECT_EQ(compute::isolated_names(a), (std::vector<std::string>{"b", "c"}));
}

TEST(Isolated, a_failing_factory_fails_the_request) {
    app a;
    a.get("/", isolated("model", [] {
              if (true) throw std::runtime_error("not there");
              return [](request&) { return std::string(); };
          }));
    test_client client(a);
    EXPECT_EQ(client.get("/").status, 500);
}

TEST(Isolated, a_missing_process_is_a_bad_gateway) {
    view_counters w;
    app a;
    a.get("/n/<int:number>", isolated("model", counting_factory(w)));
    compute::attach(a, "model", {.address = "rondo-compute-without-a-process"});
    test_client client(a);
    EXPECT_EQ(client.get("/n/1").status, 502);
    EXPECT_EQ(w.factory_calls, 0);
}

TEST(Isolated, a_foreign_process_at_the_address_gets_no_job) {
    const compute::job_socket ours = compute::listen_for_jobs();
    const abstract_address taken("rondo-compute-test-" + std::to_string(getpid()));
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t other = fork();
    if (other == 0) {
        const int at = socket(AF_UNIX, SOCK_STREAM, 0);
        if (bind(at, taken.get(), taken.size()) != 0 || listen(at, 5) != 0) _exit(2);
        if (write(ends[1], "x", 1) != 1) _exit(2);
        char byte = 0;
        const int connection = accept(at, nullptr, nullptr);
        _exit(recv(connection, &byte, 1, 0) == 0 ? 0 : 1);
    }
    char listens = 0;
    ASSERT_EQ(::read(ends[0], &listens, 1), 1);
    close(ends[0]);
    close(ends[1]);
    view_counters w;
    app a;
    a.get("/n/<int:number>", isolated("model", counting_factory(w)));
    compute::attach(a, "model",
                    {.address = "rondo-compute-test-" + std::to_string(getpid()), .socket = ours.fd.value()});
    test_client client(a);
    EXPECT_EQ(client.get("/n/1").status, 502);
    int status = -1;
    ASSERT_EQ(waitpid(other, &status, 0), other);
    EXPECT_EQ(status, 0) << "the foreign process received data";
}

TEST(Isolated, rejects_jobs_beyond_the_limit) {
    view_counters w;
    app a;
    a.get("/n/<int:number>", isolated("model", counting_factory(w)));
    const compute::job_socket without_process = compute::listen_for_jobs();
    compute::attach(a, "model", {.address = without_process.address, .max_jobs = 0});
    test_client client(a);
    const test_response r = client.get("/n/1");
    EXPECT_EQ(r.status, 503);
    EXPECT_EQ(r.field("Retry-After"), "1");
}

/// Receives one job and replies with these bytes; the first one carries the descriptor.
void reply_once(int listener, std::string_view sent, int file) {
    pollfd at{listener, POLLIN, 0};
    while (poll(&at, 1, -1) < 1) {
    }
    const unique_fd connection(accept(listener, nullptr, nullptr));
    std::string job;
    unique_fd none;
    while (!detail::parse_job(job)) ASSERT_GT(detail::receive_with_fd(connection.value(), job, 4096, none), 0);
    while (!sent.empty()) {
        const ssize_t n = detail::send_with_fd(connection.value(), sent, std::exchange(file, -1));
        if (n <= 0) return;
        sent.remove_prefix(static_cast<std::size_t>(n));
    }
}

struct counted_response {
    test_response response;
    std::uint64_t done;
    std::uint64_t lost;
    std::uint64_t cancelled;
};

/// Returns the response to the client and the stats when a compute process replies with these bytes.
counted_response response_to_reply(const std::string& sent, int file = -1) {
    view_counters w;
    app a;
    a.get("/n/<int:number>", isolated("model", counting_factory(w)));
    const compute::job_socket socket = compute::listen_for_jobs();
    compute::attach(a, "model", {.address = socket.address});
    std::thread process([&] { reply_once(socket.fd.value(), sent, file); });
    test_client client(a);
    counted_response result{.response = client.get("/n/1"), .done = 0, .lost = 0, .cancelled = 0};
    process.join();
    a.state().for_each_route([&result](detail::route_entry& route) {
        const auto& ended = route.view.isolated->client->queue_stats().by_outcome;
        result.done = ended[static_cast<std::size_t>(stats::job_outcome::done)];
        result.lost = ended[static_cast<std::size_t>(stats::job_outcome::lost)];
        result.cancelled = ended[static_cast<std::size_t>(stats::job_outcome::cancelled)];
    });
    return result;
}

std::string encoded_frame(detail::frame_kind kind, std::string_view payload = {}) {
    std::string out;
    detail::append_frame(out, kind, payload);
    return out;
}

std::string started_reply(std::uint64_t length, http::status code = http::status::ok,
                          const http::fields* fields = nullptr, std::string_view type = {}) {
    return encoded_frame(detail::frame_kind::started) +
           encoded_frame(detail::frame_kind::head,
                         detail::head_payload({.code = code, .content_type = type, .fields = fields}, length));
}

TEST(Isolated, a_malformed_reply_is_a_bad_gateway) {
    using detail::frame_kind;
    const std::string end = encoded_frame(frame_kind::end);
    const std::string hello = encoded_frame(frame_kind::bytes, "hello");
    http::fields two_types;
    two_types.add("Content-Type", "a/b");
    two_types.add("content-type", "c/d");
    http::fields one_type;
    one_type.add("Content-Type", "c/d");
    const std::pair<const char*, std::string> wrong[] = {
        {"shorter than declared", started_reply(100) + hello + end},
        {"nothing of it", started_reply(100) + end},
        {"longer than declared", started_reply(4) + hello + end},
        {"no end", started_reply(5) + hello},
        {"two heads", started_reply(5) + started_reply(5)},
        {"a failure within it",
         started_reply(5) +
             encoded_frame(frame_kind::failed, detail::failure_payload({http::status::not_found, "gone"}))},
        {"an end at once", encoded_frame(frame_kind::started) + end},
        {"garbage at once", std::string(100, '\xff')},
        {"garbage instead of a head", encoded_frame(frame_kind::started) + std::string(100, '\xff')},
        {"garbage within the body", started_reply(100) + hello + std::string(100, '\xff')},
        {"a bad failure", encoded_frame(frame_kind::started) + encoded_frame(frame_kind::failed, "x")},
        {"a bad head", encoded_frame(frame_kind::started) + encoded_frame(frame_kind::head, "x")},
        {"a control byte in the type", started_reply(5, http::status::ok, nullptr, "a/b\r\nX: 1") + hello + end},
        {"two types", started_reply(5, http::status::ok, &two_types) + hello + end},
        {"two types in two places", started_reply(5, http::status::ok, &one_type, "a/b") + hello + end},
    };
    for (const auto& [name, sent] : wrong) {
        const counted_response result = response_to_reply(sent);
        EXPECT_EQ(result.response.status, 502) << name;
        EXPECT_EQ(result.lost, 1u) << name;
        EXPECT_EQ(result.done + result.cancelled, 0u) << name;
    }
    const counted_response whole = response_to_reply(started_reply(5, http::status::ok, &one_type) + hello + end);
    EXPECT_EQ(whole.response.body, "hello");
    EXPECT_EQ(whole.response.content_type, "c/d");
    EXPECT_EQ(whole.done, 1u);
    const counted_response nothing = response_to_reply(started_reply(100, http::status::not_modified) + end);
    EXPECT_EQ(nothing.response.status, 304);
    EXPECT_EQ(nothing.done, 1u);
}

TEST(Isolated, a_malformed_large_reply_aborts) {
    using detail::frame_kind;
    constexpr std::uint64_t size = 100'000;
    const std::string end = encoded_frame(frame_kind::end);
    const std::string part = encoded_frame(frame_kind::file, detail::file_payload({0, size}));
    const unique_fd short_file = detail::make_memory_file("short");
    const unique_fd whole_file = detail::make_memory_file(std::string(size, 'x'));
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const unique_fd reads(pipe_ends[0]);
    const unique_fd writes(pipe_ends[1]);
    const std::tuple<const char*, std::string, int> wrong[] = {
        {"shorter than declared", started_reply(size) + encoded_frame(frame_kind::bytes, "short") + end, -1},
        {"longer than declared",
         started_reply(size) + encoded_frame(frame_kind::bytes, std::string(size + 1, 'x')) + end, -1},
        {"garbage", started_reply(size) + std::string(100, '\xff'), -1},
        {"no file", started_reply(size) + part + end, -1},
        {"a pipe", started_reply(size) + part + end, reads.value()},
        {"a file that is too short", started_reply(size) + part + end, short_file.value()},
    };
    for (const auto& [name, sent, file] : wrong) {
        const counted_response result = response_to_reply(sent, file);
        EXPECT_TRUE(result.response.aborted) << name;
        EXPECT_EQ(result.lost, 1u) << name;
        EXPECT_EQ(result.done + result.cancelled, 0u) << name;
    }
    const counted_response whole = response_to_reply(started_reply(size) + part + end, whole_file.value());
    EXPECT_EQ(whole.response.body.size(), size);
    EXPECT_FALSE(whole.response.aborted);
    EXPECT_EQ(whole.done, 1u);
}

}  // namespace
}  // namespace rondo
