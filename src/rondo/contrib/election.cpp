// SPDX-License-Identifier: Apache-2.0
#include <rondo/contrib/election.hpp>

#include <exception>
#include <functional>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <poll.h>

#include <rondo/base/log.hpp>
#include <rondo/channels/peer_discovery.hpp>

namespace rondo {

namespace {

constexpr std::size_t longest = 48;  // a unix socket name has 107 bytes and starts with the server's discovery name

std::string socket_name(std::string_view name) {
    const std::string& place = rendezvous::name();
    if (name.size() <= longest) return fmt::format("{}/lead/{}", place, name);
    return fmt::format("{}/lead/{}{:016x}", place, name.substr(0, longest - 16), std::hash<std::string_view>()(name));
}

bool is_connected(const unique_fd& connection) noexcept {
    pollfd fd{connection.value(), 0, 0};
    return connection && ::poll(&fd, 1, 0) == 0;
}

constexpr std::string_view remedy =
    "end that process, or restart the server so that it uses new names (a reload does not change them)";

void report_stranger(std::string_view name, std::string_view socket, const rendezvous::holder& holder) {
    log::error(
        fmt::format("no process of this server can lead '{}': process {} of user {} holds the unix socket @{}; {}",
                    name, holder.process, holder.user, socket, remedy));
}

void report_unknown(std::string_view name, std::string_view socket, int error) {
    log::error(
        fmt::format("cannot verify the leader for '{}': the holder of the unix socket @{} does not accept connections "
                    "({}); if it is not a worker of this server (see ss -xap), {}",
                    name, socket, std::generic_category().message(error), remedy));
}

}  // namespace

bool election::leads(std::string_view name) noexcept {
    if (rendezvous::name().empty() || held_.contains(name)) return true;
    try {
        const std::string socket = socket_name(name);
        unique_fd won = rendezvous::claim(socket);
        if (!won) {
            check_holder(others_[std::string(name)], name, socket);
            return false;
        }
        others_.erase(std::string(name));
        held_.emplace(name, std::move(won));
        return true;
    } catch (const std::exception& e) {
        log::error(fmt::format("leader election for '{}' failed: {}", name, e.what()));
        return false;
    }
}

void election::check_holder(other_leader& other, std::string_view name, const std::string& socket) {
    if (other.reported || is_connected(other.connection)) return;
    rendezvous::holder holder = rendezvous::holder_of(socket);
    if (holder.trusted()) {
        other.unanswered = 0;
        other.connection = std::move(holder.connection);
        return;
    }
    // On the first failure it may just have ended, or not listen yet.
    if (!holder.connection && ++other.unanswered == 1) return;
    other.reported = true;
    if (holder.connection) report_stranger(name, socket, holder);
    else report_unknown(name, socket, holder.error);
}

}  // namespace rondo
