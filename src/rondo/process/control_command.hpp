// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <rondo/base/unique_fd.hpp>

namespace rondo::process {

/// What a child may tell its arbiter to do: the signals HUP, TERM, TTIN and TTOU for those who may not send them,
/// because they run as another user.
struct order {
    enum class kind : unsigned char {
        reload,  ///< as HUP
        end,     ///< as the first TERM; once more it changes nothing
        scale,   ///< so many children in the groups that scale
    };
    kind what = kind::reload;
    std::size_t children = 0;  ///< scale only: 1 to most_children

    static constexpr std::size_t most_children = 256;

    /// "reload", "end", "scale 4": images of different versions understand each other.
    [[nodiscard]] std::string text() const;
    /// Nothing when it is none of these.
    [[nodiscard]] static std::optional<order> parse(std::string_view text);
};

/// The two ends of what orders go through, one message each. They outlive a re-execution of the arbiter.
struct order_line {
    unique_fd reader;  ///< the arbiter's
    unique_fd writer;  ///< for the children of groups that give orders

    /// Throws std::system_error.
    [[nodiscard]] static order_line make();
};

/// 0, or the errno for which it did not go out: EAGAIN when the arbiter has not read those before. Never waits.
[[nodiscard]] int send(int writer, const order& what) noexcept;

/// The next message, as it came, or a text that is no order for one that is too long; nothing when there is none. Never
/// waits. At least one writer is open.
[[nodiscard]] std::optional<std::string> receive(int reader);

}  // namespace rondo::process
