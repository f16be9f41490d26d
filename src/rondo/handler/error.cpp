// SPDX-License-Identifier: Apache-2.0
#include <rondo/handler/error.hpp>

namespace rondo {

http_error::http_error(http::status code, const std::string& text)
    : std::runtime_error(text.empty() ? std::string(http::reason(code)) : text), code_(code) {}

}  // namespace rondo
