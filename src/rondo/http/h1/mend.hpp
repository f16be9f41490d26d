// SPDX-License-Identifier: Apache-2.0
// What RFC 9112 lets a client mend in the heads of old servers.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rondo::http::h1 {

/// The size of the head that the bytes begin with, the blank line included; npos when its end has not come.
[[nodiscard]] std::size_t head_end(std::string_view bytes) noexcept;

/// Makes what parse_response_head() refuses valid where RFC 9112 says how a response is to be understood: a folded line
/// becomes one line (section 5.2), white space between a field name and the colon goes (section 5.1). The size stays
/// the same. False when there was nothing of that kind. Never for requests, where two readers could disagree.
bool mend_response_head(std::string& head) noexcept;

}  // namespace rondo::http::h1
