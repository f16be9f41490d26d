// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <rondo/cli/operations.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/process/child.hpp>

namespace rondo::cli {

/// Looks at the slots of a group of workers, and sends the arbiter signals. In a child of that arbiter, on its loop.
class arbiter_operations final : public operations {
public:
    /// `self` must outlive this.
    arbiter_operations(const process::child& self, const std::string& workers);

    [[nodiscard]] std::vector<server::worker_source> workers() override;
    [[nodiscard]] std::string reload() override;
    [[nodiscard]] std::string drain() override;
    /// The arbiter knows only one more and one fewer: they are asked for one after another.
    [[nodiscard]] std::string scale(std::size_t workers) override;

    /// No more signals. Await it before the end.
    [[nodiscard]] task<void> end();

private:
    [[nodiscard]] std::size_t staying() const noexcept;
    task<void> go_to_target();
    /// One worker more or fewer; false when the arbiter did not do it in time.
    [[nodiscard]] task<bool> step(bool more);

    const process::slot_table& slots_;
    int arbiter_;
    std::size_t target_ = 0;
    bool scaling_ = false;
    task_group scalers_;
};

}  // namespace rondo::cli
