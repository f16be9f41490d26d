// SPDX-License-Identifier: Apache-2.0
// Exceptions for error responses and for misuse of a responder.
#pragma once

#include <stdexcept>
#include <string>

#include <rondo/http/status.hpp>

namespace rondo {

/// An error with a status, thrown by views ("404: no such article") and by Rondo for an invalid request body.
/// `what()` is sent to the client as the text of the error page and must not contain secrets.
class http_error : public std::runtime_error {
public:
    explicit http_error(http::status code, const std::string& text = {});
    explicit http_error(int code, const std::string& text = {}) : http_error(static_cast<http::status>(code), text) {}

    [[nodiscard]] http::status code() const noexcept { return code_; }

private:
    http::status code_;
};

/// Thrown by a responder when the application misuses it: two heads, more or fewer bytes than declared, a write after
/// the end. The connection is then aborted, so that the response never looks complete.
class response_error : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

}  // namespace rondo
