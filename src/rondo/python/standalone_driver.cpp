// SPDX-License-Identifier: Apache-2.0
#include <rondo/python/standalone_driver.hpp>

#include <memory>
#include <stdexcept>

namespace rondo::python {

namespace {

constexpr const char* capsule_name = "rondo._rondo.standalone_driver";

void destroy_driver(PyObject* capsule) {
    delete static_cast<standalone_driver*>(PyCapsule_GetPointer(capsule, capsule_name));
}

backend_kind to_backend(std::string_view name) {
    if (name == "auto") return backend_kind::automatic;
    if (name == "epoll") return backend_kind::epoll;
    if (name == "io_uring") return backend_kind::io_uring;
    throw std::invalid_argument("expected auto, epoll or io_uring");
}

}  // namespace

PyObject* make_standalone_driver(PyObject*, PyObject* backend) {
    try {
        auto made = std::make_unique<standalone_driver>(to_backend(view_of_text(backend)));
        const object driver = object::borrow(made->python_object());
        const object owner = checked(PyCapsule_New(made.get(), capsule_name, destroy_driver));
        [[maybe_unused]] const auto* owned = made.release();
        return PyTuple_Pack(2, driver.get(), owner.get());
    } catch (...) {
        set_exception_from_current();
        return nullptr;
    }
}

}  // namespace rondo::python
