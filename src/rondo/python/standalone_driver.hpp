// SPDX-License-Identifier: Apache-2.0
// Rondo's loop as the selector of an asyncio loop that serves nothing.
#pragma once

#include <rondo/loop/loop.hpp>
#include <rondo/python/loop_driver.hpp>
#include <rondo/python/loop_gil.hpp>

namespace rondo::python {

/// A loop of this thread with its driver. Created and destroyed on one thread, with the GIL.
class standalone_driver {
public:
    /// Throws error_set and std::logic_error when the thread has a loop.
    explicit standalone_driver(backend_kind backend) : loop_({backend}), driver_(loop_, gil_, nullptr, {}) {}

    [[nodiscard]] PyObject* python_object() const noexcept { return driver_.python_object(); }

private:
    loop_gil gil_;
    event_loop loop_;
    loop_driver driver_;
};

/// make_driver(backend): returns the driver and a capsule that owns it.
PyObject* make_standalone_driver(PyObject*, PyObject* backend);

}  // namespace rondo::python
