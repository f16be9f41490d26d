// SPDX-License-Identifier: Apache-2.0
// The entry point of the SQLite backend.
// Implemented in driver.cpp.
#pragma once

#include <memory>
#include <string>

#include <rondo/db/driver.hpp>

namespace rondo::db::sqlite {

/// Creates the driver for the current loop.
[[nodiscard]] std::unique_ptr<driver> make_driver(const std::string& path, const options& limits);

}  // namespace rondo::db::sqlite
