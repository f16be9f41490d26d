// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <rondo/cli/operations.hpp>
#include <rondo/process/child.hpp>

namespace rondo::cli {

/// Looks at the slots of a group of workers, and gives the arbiter orders. In a child of that arbiter.
class arbiter_operations final : public operations {
public:
    /// `self` must outlive this.
    arbiter_operations(process::child& self, const std::string& workers);

    [[nodiscard]] std::vector<server::worker_source> workers() override;
    [[nodiscard]] std::vector<server::compute_source> computers() override;
    [[nodiscard]] std::string reload() override;
    [[nodiscard]] std::string drain() override;
    [[nodiscard]] std::string scale(std::size_t workers) override;

private:
    [[nodiscard]] std::string tell(const process::order& what);

    process::child& self_;
    const process::slot_table& slots_;
};

}  // namespace rondo::cli
