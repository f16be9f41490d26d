// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <rondo/http/proxy_protocol.hpp>

#include "check.hpp"

namespace {

using namespace rondo::http;
using rondo::fuzz::check;

bool same(const proxy_header& a, const proxy_header& b) {
    return a.source_type == b.source_type && a.address == b.address && a.port == b.port && a.secure == b.secure &&
           a.size == b.size;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes = rondo::fuzz::as_text(data, size);
    const auto whole = parse_proxy_header(bytes);
    if (whole) check(whole->size <= bytes.size() && whole->size <= max_proxy_header && whole->size > 0);
    // A prefix must be incomplete or give the same result as the whole input.
    for (std::size_t n = 0; n < size && n < 300; ++n) {
        const auto part = parse_proxy_header(bytes.substr(0, n));
        if (part) {
            check(whole && same(*part, *whole) && part->size <= n);
            break;
        }
        if (part.error() == proxy_error::malformed) {
            check(!whole && whole.error() == proxy_error::malformed);
            break;
        }
        if (whole) check(n < whole->size);
    }
    // Bytes after the header must not matter.
    if (whole) {
        const auto alone = parse_proxy_header(bytes.substr(0, whole->size));
        const auto followed = parse_proxy_header(std::string(bytes.substr(0, whole->size)) + "\r\n\0GET");
        check(alone && followed && same(*alone, *whole) && same(*followed, *whole));
    }
    return 0;
}
