// SPDX-License-Identifier: Apache-2.0
// Turns exceptions into error responses.
#pragma once

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <rondo/base/unavailable_error.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>
#include <rondo/web/routing/view.hpp>

namespace rondo {

/// Why a request failed: what the client may know, and the cause for error handlers.
struct failure {
    http::status code = http::status::internal_server_error;
    std::string text{};                                 ///< for the client
    std::exception_ptr cause{};                         ///< null when nothing was thrown (404, 405)
    std::optional<std::chrono::seconds> retry_after{};  ///< sent as Retry-After
    std::string allow{};                                ///< sent as Allow
};

/// Converts an exception: http_error keeps its status and text, unavailable_error (a full pool, a busy database)
/// becomes 503 with Retry-After, a cancelled request 503, and everything else 500 without details.
[[nodiscard]] failure to_failure(std::exception_ptr cause);

/// Makes the built-in error page: HTML, JSON or plain text, as negotiated with Accept.
[[nodiscard]] response error_page(request& req, const failure& f);

namespace detail {

/// An exception from a compute process, which has already logged it if necessary.
class remote_error : public http_error {
public:
    using http_error::http_error;
};

class remote_busy final : public remote_error, public unavailable_error {
public:
    remote_busy(http::status code, const std::string& text, std::chrono::seconds retry_after)
        : remote_error(code, text), unavailable_error(retry_after) {}
};

struct error_handler {
    erased_object object;
    /// On the loop; null if `sync` is set.
    task<response> (*async)(const void* object, request&, const failure&) = nullptr;
    response (*sync)(const void* object, request&, const failure&) = nullptr;  ///< on the blocking pool
};

template <class F>
error_handler make_error_handler(F f) {
    static_assert(std::is_invocable_v<const F&, request&, const failure&>,
                  "an error handler takes (request&, const failure&) and returns a response or a task<response>");
    const auto call = [](const void* object, request& req, const failure& f) {
        return (*static_cast<const F*>(object))(req, f);
    };
    if constexpr (std::is_same_v<std::invoke_result_t<const F&, request&, const failure&>, task<response>>) {
        return {make_erased(std::move(f)), call, nullptr};
    } else {
        return {make_erased(std::move(f)), nullptr, call};
    }
}

}  // namespace detail
}  // namespace rondo
