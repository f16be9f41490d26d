// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/urlencoded_form.hpp>

#include <utility>

namespace rondo::http {

std::expected<std::vector<query_pair>, form_error> parse_urlencoded(std::string_view body, const form_limits& limits) {
    std::vector<query_pair> pairs;
    for (const query_pair& pair : query_pairs(body)) {
        if (pairs.size() == limits.pairs) return std::unexpected(form_error::too_many_pairs);
        pairs.push_back(pair);
    }
    return pairs;
}

}  // namespace rondo::http
