// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/request_id.hpp>

#include <algorithm>

namespace rondo {
namespace {

constexpr std::string_view field_name = "X-Request-ID";
constexpr std::size_t max_id_size = 128;

bool is_valid_id(std::string_view id) noexcept {
    return !id.empty() && id.size() <= max_id_size && std::all_of(id.begin(), id.end(), [](char c) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        return plain || std::string_view("-_.:+/=@").find(c) != std::string_view::npos;
    });
}

}  // namespace

task<response> request_id(request& req, next next) {
    if (const auto sent = req.field(field_name); sent && is_valid_id(*sent)) req.set_id(*sent);
    response r = co_await next(req);
    r.field(field_name, req.id());
    co_return r;
}

}  // namespace rondo
