// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <rondo/base/unique_fd.hpp>

namespace rondo {

/// Which process of a server does what only one of them may do: for each name the first that asks, until it ends. It
/// holds an abstract unix socket of that name at the server's rendezvous, which the kernel frees when the process ends,
/// however it ends. In a server of one process that process. One thread.
class election {
public:
    /// Never blocks. False, and logged, when the kernel refuses.
    [[nodiscard]] bool leads(std::string_view name) noexcept;

private:
    std::map<std::string, unique_fd, std::less<>> held_;
};

}  // namespace rondo
