// SPDX-License-Identifier: Apache-2.0
// Commands that child processes send to the arbiter, and the channel that carries them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <rondo/base/unique_fd.hpp>

namespace rondo::process {

/// A command from a child to its arbiter. Replaces the signals HUP, TERM, TTIN and TTOU, which a child that runs as
/// another user may not send.
struct control_command {
    enum class kind : unsigned char {
        reload,     ///< as HUP
        shut_down,  ///< as the first TERM; has no effect when repeated
        scale,      ///< sets the number of children in the scalable groups
    };
    kind action = kind::reload;
    std::size_t children = 0;  ///< scale only: 1 to max_children

    static constexpr std::size_t max_children = 256;

    /// "reload", "end" or "scale 4". The format is stable: images of different versions exchange it.
    [[nodiscard]] std::string text() const;
    /// std::nullopt when `text` is not a command.
    [[nodiscard]] static std::optional<control_command> parse(std::string_view text);
};

/// Both ends of the socket that carries commands, one message each. They survive a re-execution of the arbiter.
struct control_channel {
    unique_fd reader;  ///< for the arbiter
    unique_fd writer;  ///< for the children of groups that may send commands

    /// Throws std::system_error.
    [[nodiscard]] static control_channel make();
};

/// Returns 0 or an errno; EAGAIN when the arbiter has not read earlier commands. Never blocks.
[[nodiscard]] int send(int writer, const control_command& command) noexcept;

/// Returns the next message unparsed, std::nullopt when there is none, and a text that is not a command for a message
/// that is too long. Never blocks. At least one writer must be open.
[[nodiscard]] std::optional<std::string> receive(int reader);

}  // namespace rondo::process
