// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <rondo/db/driver.hpp>

namespace rondo::db::sqlite {

/// For the current loop.
[[nodiscard]] std::unique_ptr<driver> make_driver(const std::string& path, const options& limits);

}  // namespace rondo::db::sqlite
