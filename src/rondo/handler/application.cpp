// SPDX-License-Identifier: Apache-2.0
#include <rondo/handler/application.hpp>

#include <rondo/http/status.hpp>

namespace rondo::handler {

std::optional<std::uint64_t> application::body_limit(request&) { return std::nullopt; }
void application::on_refused(request&, http::status, std::uint64_t) noexcept {}

task<void> application::refuse(request&, responder& to, std::exception_ptr) {
    constexpr auto code = http::status::service_unavailable;
    to.respond({.code = code, .content_type = "text/plain; charset=utf-8"}, http::reason(code));
    co_return;
}

}  // namespace rondo::handler
