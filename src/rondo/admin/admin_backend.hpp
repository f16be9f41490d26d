// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <rondo/admin/stats_snapshot.hpp>

namespace rondo::admin {

/// What operators can look at and do. Called on the loop of the admin listener.
class operations {
public:
    virtual ~operations() = default;

    /// The workers as they are now, also those that ended and left their figures.
    [[nodiscard]] virtual std::vector<worker_source> workers() = 0;

    /// The compute processes, likewise; none without an arbiter.
    [[nodiscard]] virtual std::vector<compute_source> computers() = 0;

    /// Each returns at once: "" when it was asked for, else a sentence that says why it cannot be.
    [[nodiscard]] virtual std::string reload() = 0;
    [[nodiscard]] virtual std::string drain() = 0;
    [[nodiscard]] virtual std::string scale(std::size_t workers) = 0;
};

/// Bytes of resident memory of a process; 0 when it is gone.
[[nodiscard]] std::uint64_t resident_bytes(int process) noexcept;

}  // namespace rondo::admin
