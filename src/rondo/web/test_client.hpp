// SPDX-License-Identifier: Apache-2.0
// Calls an application in-process, for tests.
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

/// A request to send to the application.
struct test_request {
    std::string method = "GET";
    std::string target = "/";
    test_fields fields{};
    std::string body{};
    /// Sends the body chunked, in pieces of this many bytes; 0: in one piece with Content-Length.
    std::size_t chunk_size = 0;
    std::string peer = "127.0.0.1";
};

/// An interim response of the application, such as 103 (Early Hints).
struct test_interim {
    int status = 0;
    http::fields fields;
};

/// The response of the application. If it was aborted, the body has the bytes written before.
struct test_response {
    int status = 0;  ///< 0 when no response was started
    std::string reason;
    std::string content_type;
    http::fields fields;
    std::string body;
    std::optional<std::uint64_t> length;  ///< as declared; empty if unknown
    std::vector<test_interim> interim;    ///< sent before the response
    http::fields trailers;                ///< of a chunked body, if the request has `TE: trailers`
    bool aborted = false;

    /// Returns the first header field of this name, or an empty text.
    [[nodiscard]] std::string_view field(std::string_view name) const noexcept {
        return fields.find(name).value_or(std::string_view());
    }
};

struct test_client_options {
    std::uint64_t max_body = 1 << 20;
    std::size_t blocking_threads = 2;
    std::size_t compute_threads = 1;
};

/// Calls an application in-process, without a socket, with the same head parser and the same rules as a server:
/// requests that a server rejects are rejected, and a response that breaks the responder's contract fails. Uses the
/// loop of this thread or creates one, with small pools. The constructor starts the application, the destructor stops
/// it.
class test_client {
public:
    /// `app` must outlive the client. Throws what its startup throws.
    explicit test_client(handler::application& app, const test_client_options& options = {});
    ~test_client();
    test_client(const test_client&) = delete;
    test_client& operator=(const test_client&) = delete;

    /// Sends a request and returns the response. Not to be called in a coroutine of the loop.
    test_response get(std::string target, test_fields fields = {});
    test_response post(std::string target, std::string body, test_fields fields = {});
    test_response send(test_request request);

    /// Sends a request: `co_await client.async_get("/")`. Several may be in flight. Cancelling the awaiting coroutine
    /// cancels the request, like a client that disconnects.
    [[nodiscard]] task<test_response> async_get(std::string target, test_fields fields = {});
    [[nodiscard]] task<test_response> async_post(std::string target, std::string body, test_fields fields = {});
    [[nodiscard]] task<test_response> async_send(test_request request);

    /// Runs a coroutine on the loop and returns its result.
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
