// SPDX-License-Identifier: Apache-2.0
// Makes tasks whose first step runs at once on Python 3.10 and 3.11, which have no eager_start.
#pragma once

#include <rondo/python/python_api.hpp>

namespace rondo::python {

/// A callable that keeps what a Task gives to call_soon() in its constructor. Throws error_set.
[[nodiscard]] object make_call_soon_capture();

/// Makes a Task of `call` on `loop` in a copy of `context` and runs its first step. `loop_dictionary` is the __dict__
/// of the loop, in which `capture` stands for call_soon() meanwhile. No task may be current. Throws error_set when the
/// step raises SystemExit or KeyboardInterrupt.
[[nodiscard]] object make_task_eagerly(PyObject* call, PyObject* loop, PyObject* loop_dictionary, PyObject* capture,
                                       PyObject* context);

}  // namespace rondo::python
