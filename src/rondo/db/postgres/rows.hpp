// SPDX-License-Identifier: Apache-2.0
// Results of libpq as rows of a result.
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

[[nodiscard]] result make_result(result_ptr r);
/// Combines results of one row each.
[[nodiscard]] result make_result(std::vector<result_ptr> results);

}  // namespace rondo::db::postgres
