// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rondo/coro/task.hpp>
#include <rondo/handler/application.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/http/status.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

using test_fields = std::vector<std::pair<std::string, std::string>>;

/// A request of a test.
struct test_request {
    std::string method = "GET";
    std::string target = "/";
    test_fields fields{};
    std::string body{};
    /// The body comes in pieces of this many bytes; 0: in one. Several pieces are sent chunked.
    std::size_t piece = 0;
    std::string peer = "127.0.0.1";
};

/// What came back. A response that the application aborted has what was written before.
struct test_response {
    int status = 0;  ///< 0 when nothing was begun
    std::string content_type;
    http::fields fields;
    std::string body;
    std::optional<std::uint64_t> length;  ///< as declared; none: of unknown length
    bool aborted = false;

    /// The first field of this name; "" when there is none.
    [[nodiscard]] std::string_view field(std::string_view name) const noexcept {
        return fields.find(name).value_or(std::string_view());
    }
};

struct test_client_options {
    std::uint64_t max_body = 1 << 20;
    std::size_t blocking_threads = 2;
    std::size_t compute_threads = 1;
};

/// Calls an application in the process, without a socket, through the same parser of heads and the same contract as a
/// server: a target that a server refuses is refused, a response that breaks the rules of a responder fails. Uses the
/// loop of this thread, or has one of its own, with small pools. Starts the application when made and stops it when
/// destroyed.
class test_client {
public:
    /// The application must outlive the client. Throws what its start throws.
    explicit test_client(handler::application& app, const test_client_options& options = {});
    ~test_client();
    test_client(const test_client&) = delete;
    test_client& operator=(const test_client&) = delete;

    /// Not from within a coroutine of the loop.
    test_response get(std::string target, test_fields fields = {});
    test_response post(std::string target, std::string body, test_fields fields = {});
    test_response send(test_request request);

    /// `co_await client.async_get("/")`: several may be under way at once. Cancelling the awaiting coroutine cancels
    /// the request, as a client does that disconnects.
    [[nodiscard]] task<test_response> async_get(std::string target, test_fields fields = {});
    [[nodiscard]] task<test_response> async_post(std::string target, std::string body, test_fields fields = {});
    [[nodiscard]] task<test_response> async_send(test_request request);

    /// Runs a coroutine of the test on the loop.
    template <class T>
    T run(task<T> t) {
        return loop().run_until(std::move(t));
    }
    [[nodiscard]] event_loop& loop() noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace rondo
