// SPDX-License-Identifier: Apache-2.0
// Base of exceptions for full queues and pools, which are answered 503 with Retry-After.
#pragma once

#include <chrono>

namespace rondo {

/// Mixin for exceptions that mean that something was full and a retry may succeed. Not an exception by itself. A
/// request that fails with one is answered 503 with Retry-After.
class unavailable_error {
public:
    [[nodiscard]] std::chrono::seconds retry_after() const noexcept { return retry_after_; }

protected:
    explicit unavailable_error(std::chrono::seconds after) noexcept : retry_after_(after) {}
    ~unavailable_error() = default;
    unavailable_error(const unavailable_error&) = default;
    unavailable_error& operator=(const unavailable_error&) = default;

private:
    std::chrono::seconds retry_after_;
};

}  // namespace rondo
