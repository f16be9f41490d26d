// SPDX-License-Identifier: Apache-2.0
// The stacks of all Python threads, taken without the GIL.
#pragma once

#include <mutex>
#include <string>

#include <rondo/base/unique_fd.hpp>
#include <rondo/python/loop_gil.hpp>

namespace rondo::python {

/// Takes the stacks of all Python threads by a signal to the loop thread, whose handler needs no GIL (faulthandler).
class python_stacks {
public:
    /// On the loop thread, with the GIL. Throws error_set and std::system_error.
    explicit python_stacks(const loop_gil& gil);

    /// What the loop thread does with regard to the GIL, and the stacks. Any thread, without the GIL.
    [[nodiscard]] std::string text() const;
    /// The stack of the loop thread alone; empty when it runs no Python. Likewise.
    [[nodiscard]] std::string loop_stack() const;

private:
    [[nodiscard]] std::string take() const;

    mutable std::mutex mutex_;  // of the file
    const loop_gil& gil_;
    unique_fd file_;
    pthread_t loop_thread_;
};

}  // namespace rondo::python
