// SPDX-License-Identifier: Apache-2.0
// The entry points of the PostgreSQL backend.
// Implemented in pool_connect.cpp.
#pragma once

#include <memory>
#include <string>

#include <rondo/db/driver.hpp>

namespace rondo::db::postgres {

/// Checks a URL without connecting. Throws std::invalid_argument with a user-facing message.
void check_url(const std::string& url);

/// Creates the driver for the current loop.
[[nodiscard]] std::unique_ptr<driver> make_driver(const std::string& url, const options& limits);

}  // namespace rondo::db::postgres
