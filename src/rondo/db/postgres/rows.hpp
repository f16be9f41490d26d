// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include <rondo/db/result.hpp>

struct pg_result;

namespace rondo::db::postgres {

struct result_deleter {
    void operator()(pg_result* r) const noexcept;
};
using result_ptr = std::unique_ptr<pg_result, result_deleter>;

[[nodiscard]] result rows_of(result_ptr r);
/// Results of one row each, as one.
[[nodiscard]] result rows_of(std::vector<result_ptr> singles);

}  // namespace rondo::db::postgres
