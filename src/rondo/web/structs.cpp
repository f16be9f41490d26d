// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/structs.hpp>

#include <fmt/format.h>

#include <rondo/handler/error.hpp>

namespace rondo::detail {

void refuse_form(const std::vector<form_problem>& problems) {
    std::string text;
    for (const form_problem& p : problems)
        text += fmt::format("{}'{}' {}", text.empty() ? "" : "; ", p.name, p.sentence);
    throw http_error(http::status::unprocessable_content, text + ".");
}

void refuse_json(const codec::json_error& error) {
    throw http_error(http::status::unprocessable_content, "Invalid JSON value: " + error.message + ".");
}

}  // namespace rondo::detail
