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
///
/// Anyone on the machine may bind such a name: a holder that belongs to another user keeps it, but is logged once for
/// each name, as an error.
class election {
public:
    /// Never blocks. False, and logged, when the kernel refuses.
    [[nodiscard]] bool leads(std::string_view name) noexcept;

private:
    struct other_leader {
        unique_fd connection;  // kept: as long as it is open, the holder is the one that was checked
        unsigned unanswered = 0;
        bool reported = false;
    };
    static void check_holder(other_leader& other, std::string_view name, const std::string& socket);

    std::map<std::string, unique_fd, std::less<>> held_;
    std::map<std::string, other_leader, std::less<>> others_;
};

}  // namespace rondo
