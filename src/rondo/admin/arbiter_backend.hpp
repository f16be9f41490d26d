// SPDX-License-Identifier: Apache-2.0
// The admin backend under an arbiter: reads the slots of its children and sends it control commands.
#pragma once

#include <string>

#include <rondo/admin/admin_backend.hpp>
#include <rondo/process/current_child.hpp>

namespace rondo::admin {

/// Reads the slots of a group of workers and of the compute processes. Used in a child of the arbiter.
class arbiter_backend final : public admin_backend {
public:
    /// `self` must outlive this.
    arbiter_backend(process::child& self, const std::string& workers);

    [[nodiscard]] std::vector<worker_source> workers() override;
    [[nodiscard]] std::vector<compute_source> compute_processes() override;
    [[nodiscard]] std::string reload() override;
    [[nodiscard]] std::string drain() override;
    [[nodiscard]] std::string scale(std::size_t workers) override;

private:
    [[nodiscard]] std::string send(const process::control_command& command);

    process::child& self_;
    const process::slot_table& slots_;
};

}  // namespace rondo::admin
