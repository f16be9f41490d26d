// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/struct_binding.hpp>

#include <fmt/format.h>

#include <rondo/handler/error.hpp>

namespace rondo::detail {

void reject_form(const std::vector<form_error>& errors) {
    std::string text;
    for (const form_error& error : errors)
        text += fmt::format("{}'{}' {}", text.empty() ? "" : "; ", error.name, error.message);
    throw http_error(http::status::unprocessable_content, text + ".");
}

void reject_json(const codec::json_error& error) {
    throw http_error(http::status::unprocessable_content, "Invalid JSON value: " + error.message + ".");
}

}  // namespace rondo::detail
