// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/status.hpp>

#include <rondo/http/reason_phrases.hpp>

namespace rondo::http {

std::string_view reason(status code) noexcept { return find_reason(code); }

}  // namespace rondo::http
