// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace rondo {

/// What an exception is besides its type when the same may work a little later: something was full. Not an exception by
/// itself. A request that ends by one is answered 503 with Retry-After.
class try_later {
public:
    [[nodiscard]] std::chrono::seconds retry_after() const noexcept { return retry_after_; }

protected:
    explicit try_later(std::chrono::seconds after) noexcept : retry_after_(after) {}
    ~try_later() = default;
    try_later(const try_later&) = default;
    try_later& operator=(const try_later&) = default;

private:
    std::chrono::seconds retry_after_;
};

}  // namespace rondo
