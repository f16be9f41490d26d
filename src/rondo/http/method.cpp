// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/method.hpp>

#include <array>
#include <cstddef>

namespace rondo::http {
namespace {

constexpr std::array<std::string_view, 9> method_names = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                          "CONNECT", "OPTIONS", "TRACE", "PATCH"};

}  // namespace

std::string_view to_string(method m) noexcept {
    const auto index = static_cast<std::size_t>(m);
    return index < method_names.size() ? method_names[index] : std::string_view();
}

method parse_method(std::string_view token) noexcept {
    for (std::size_t i = 0; i < method_names.size(); ++i) {
        if (method_names[i] == token) return static_cast<method>(i);
    }
    return method::other;
}

}  // namespace rondo::http
