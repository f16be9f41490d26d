// SPDX-License-Identifier: Apache-2.0
#include <rondo/contrib/leader_election.hpp>

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

constexpr std::size_t max_plain_name =
    48;  // a unix socket name has 107 bytes and starts with the server's discovery name

std::string socket_name(std::string_view name) {
    const std::string& prefix = peer_discovery::name();
    if (name.size() <= max_plain_name) return fmt::format("{}/lead/{}", prefix, name);
    return fmt::format("{}/lead/{}{:016x}", prefix, name.substr(0, max_plain_name - 16),
                       std::hash<std::string_view>()(name));
}

bool is_connected(const unique_fd& connection) noexcept {
    pollfd fd{connection.value(), 0, 0};
    return connection && ::poll(&fd, 1, 0) == 0;
}

constexpr std::string_view remedy =
    "end that process, or restart the server so that it uses new names (a reload does not change them)";

void log_foreign_holder(std::string_view name, std::string_view socket, const peer_discovery::name_owner& holder) {
    log::error(
        fmt::format("no process of this server can lead '{}': process {} of user {} holds the unix socket @{}; {}",
                    name, holder.pid, holder.uid, socket, remedy));
}

void log_unverified_holder(std::string_view name, std::string_view socket, int error) {
    log::error(
        fmt::format("cannot verify the leader for '{}': the holder of the unix socket @{} does not accept connections "
                    "({}); if it is not a worker of this server (see ss -xap), {}",
                    name, socket, std::generic_category().message(error), remedy));
}

}  // namespace

bool leader_election::try_acquire(std::string_view name) noexcept {
    if (peer_discovery::name().empty() || acquired_.contains(name)) return true;
    try {
        const std::string socket = socket_name(name);
        unique_fd bound = peer_discovery::claim_name(socket);
        if (!bound) {
            check_holder(other_leaders_[std::string(name)], name, socket);
            return false;
        }
        other_leaders_.erase(std::string(name));
        acquired_.emplace(name, std::move(bound));
        return true;
    } catch (const std::exception& e) {
        log::error(fmt::format("leader election for '{}' failed: {}", name, e.what()));
        return false;
    }
}

void leader_election::check_holder(other_leader& other, std::string_view name, const std::string& socket) {
    if (other.reported || is_connected(other.connection)) return;
    peer_discovery::name_owner holder = peer_discovery::owner_of(socket);
    if (holder.is_trusted()) {
        other.failed_checks = 0;
        other.connection = std::move(holder.connection);
        return;
    }
    // On the first failure it may just have ended, or not listen yet.
    if (!holder.connection && ++other.failed_checks == 1) return;
    other.reported = true;
    if (holder.connection) log_foreign_holder(name, socket, holder);
    else log_unverified_holder(name, socket, holder.error);
}

}  // namespace rondo
