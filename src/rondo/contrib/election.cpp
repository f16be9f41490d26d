// SPDX-License-Identifier: Apache-2.0
#include <rondo/contrib/election.hpp>

#include <exception>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/channels/rendezvous.hpp>

namespace rondo {

namespace {

constexpr std::size_t longest = 48;  // a unix socket's name has 107 bytes, and begins with the rendezvous

std::string socket_name(std::string_view name) {
    const std::string& place = rendezvous::name();
    if (name.size() <= longest) return fmt::format("{}/lead/{}", place, name);
    return fmt::format("{}/lead/{}{:016x}", place, name.substr(0, longest - 16), std::hash<std::string_view>()(name));
}

}  // namespace

bool election::leads(std::string_view name) noexcept {
    if (rendezvous::name().empty() || held_.contains(name)) return true;
    try {
        unique_fd won = rendezvous::claim(socket_name(name));
        if (!won) return false;
        held_.emplace(name, std::move(won));
        return true;
    } catch (const std::exception& e) {
        log::error(fmt::format("who does '{}' cannot be decided: {}", name, e.what()));
        return false;
    }
}

}  // namespace rondo
