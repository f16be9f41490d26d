// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/control_command.hpp>

#include <cerrno>
#include <system_error>

#include <fmt/format.h>
#include <sys/socket.h>

#include <rondo/base/parse_number.hpp>

namespace rondo::process {

namespace {
constexpr std::string_view scale_prefix = "scale ";
constexpr std::size_t max_command_size = 64;
}  // namespace

std::string control_command::text() const {
    switch (action) {
        case kind::reload: return "reload";
        case kind::shut_down: return "end";
        case kind::scale: return fmt::format("{}{}", scale_prefix, children);
    }
    return {};
}

std::optional<control_command> control_command::parse(std::string_view text) {
    if (text == "reload") return control_command{kind::reload};
    if (text == "end") return control_command{kind::shut_down};
    if (!text.starts_with(scale_prefix)) return std::nullopt;
    text.remove_prefix(scale_prefix.size());
    control_command o{kind::scale};
    o.children = parse_number<std::size_t>(text).value_or(0);
    if (o.children < 1 || o.children > max_children) return std::nullopt;
    return o;
}

control_channel control_channel::make() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends))
        throw std::system_error(errno, std::generic_category(), "socketpair");
    return {unique_fd(ends[0]), unique_fd(ends[1])};
}

int send(int writer, const control_command& command) noexcept {
    try {
        const std::string text = command.text();
        return ::send(writer, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    }
}

std::optional<std::string> receive(int reader) {
    char text[max_command_size];
    const ssize_t n = recv(reader, text, sizeof text, MSG_DONTWAIT | MSG_TRUNC);
    if (n < 0) return std::nullopt;
    // A truncated message could parse as another command.
    if (static_cast<std::size_t>(n) > sizeof text) return "command too long";
    return std::string(text, static_cast<std::size_t>(n));
}

}  // namespace rondo::process
