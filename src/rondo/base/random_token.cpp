// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/random_token.hpp>

#include <cerrno>
#include <cstdint>
#include <system_error>

#include <fmt/format.h>
#include <sys/random.h>

namespace rondo {

std::string random_token() {
    std::uint64_t random[2];
    if (::getrandom(random, sizeof random, 0) != static_cast<ssize_t>(sizeof random))
        throw std::system_error(errno, std::generic_category(), "getrandom");
    return fmt::format("{:016x}{:016x}", random[0], random[1]);
}

}  // namespace rondo
