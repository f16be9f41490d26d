// SPDX-License-Identifier: Apache-2.0
// Lets a C++ coroutine wait for a result of Python code.
#pragma once

#include <rondo/coro/event.hpp>
#include <rondo/python/python_api.hpp>

namespace rondo::python {

class asgi_application;

/// A result that Python code gives by calling an object with one argument. Loop thread; create and destroy it with the
/// GIL.
class completion {
public:
    /// Throws error_set.
    explicit completion(asgi_application& application);
    ~completion();
    completion(const completion&) = delete;
    completion& operator=(const completion&) = delete;

    /// The object that Python calls.
    [[nodiscard]] PyObject* callable() const noexcept { return callable_.get(); }
    /// `co_await c.wait()` returns when it was called.
    [[nodiscard]] event::wait_awaiter wait() noexcept { return done_.wait(); }
    /// The argument of the call. With the GIL.
    [[nodiscard]] const object& result() const noexcept { return result_; }

    /// Called by the object.
    void complete(PyObject* result) noexcept;

private:
    asgi_application& application_;
    object callable_;
    object result_;
    event done_;
};

}  // namespace rondo::python
