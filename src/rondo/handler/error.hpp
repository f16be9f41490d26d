// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

#include <rondo/http/status.hpp>

namespace rondo {

/// A failure that has a status: thrown by views ("404: no such article") and by Rondo for a bad request body.
/// `what()` goes to the client as the text of the error page: put nothing secret there.
class http_error : public std::runtime_error {
public:
    explicit http_error(http::status code, const std::string& text = {});
    explicit http_error(int code, const std::string& text = {}) : http_error(static_cast<http::status>(code), text) {}

    [[nodiscard]] http::status code() const noexcept { return code_; }

private:
    http::status code_;
};

/// Thrown by a responder when the application breaks the rules of a response: two heads, more or fewer bytes than
/// declared, a write after the end. The connection is then aborted, never ended as if complete.
class response_error : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

}  // namespace rondo
