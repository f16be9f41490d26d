// SPDX-License-Identifier: Apache-2.0
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

/// What went wrong with a request, as far as a client may know, and the cause for those who handle it.
struct failure {
    http::status code = http::status::internal_server_error;
    std::string text{};                                 ///< for the client
    std::exception_ptr cause{};                         ///< null when nothing was thrown (404, 405)
    std::optional<std::chrono::seconds> retry_after{};  ///< becomes Retry-After
    std::string allow{};                                ///< becomes Allow
};

/// Turns an exception into a failure: http_error keeps its status and text, try_later (a full pool, a busy database)
/// becomes 503 with Retry-After, a cancelled request 503, everything else 500 without any detail.
[[nodiscard]] failure failure_of(std::exception_ptr cause);

/// The built-in page: HTML, JSON or plain text by what the request accepts.
[[nodiscard]] response error_page(request& req, const failure& f);

namespace detail {

/// What was thrown in another process of this program, which has logged it if it had to be.
class failed_elsewhere : public http_error {
public:
    using http_error::http_error;
};

class busy_elsewhere final : public failed_elsewhere, public try_later {
public:
    busy_elsewhere(http::status code, const std::string& text, std::chrono::seconds retry_after)
        : failed_elsewhere(code, text), try_later(retry_after) {}
};

struct error_handler {
    owned object;
    task<response> (*async)(const void* object, request&, const failure&) = nullptr;  ///< one of the two
    response (*sync)(const void* object, request&, const failure&) = nullptr;         ///< on the blocking pool
};

template <class F>
error_handler make_error_handler(F f) {
    static_assert(std::is_invocable_v<const F&, request&, const failure&>,
                  "an error handler takes (request&, const failure&) and returns a response or a task<response>");
    const auto call = [](const void* object, request& req, const failure& what) {
        return (*static_cast<const F*>(object))(req, what);
    };
    if constexpr (std::is_same_v<std::invoke_result_t<const F&, request&, const failure&>, task<response>>) {
        return {own(std::move(f)), call, nullptr};
    } else {
        return {own(std::move(f)), nullptr, call};
    }
}

}  // namespace detail
}  // namespace rondo
