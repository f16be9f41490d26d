// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <rondo/db/driver.hpp>

namespace rondo::db::postgres {

/// Checks a URL without connecting. Throws std::invalid_argument with a sentence.
void check_url(const std::string& url);

/// For the current loop.
[[nodiscard]] std::unique_ptr<driver> make_driver(const std::string& url, const options& limits);

}  // namespace rondo::db::postgres
