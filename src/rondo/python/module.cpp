// SPDX-License-Identifier: Apache-2.0
// The extension module rondo._rondo.
#include <new>
#include <string>
#include <vector>

#include <rondo/base/log.hpp>
#include <rondo/base/version.hpp>
#include <rondo/cli/run_served.hpp>
#include <rondo/python/python_served.hpp>
#include <rondo/python/runtime.hpp>
#include <rondo/python/standalone_driver.hpp>

namespace rondo::python {

namespace {

// main(arguments): runs the command line and returns the exit status.
PyObject* run_main(PyObject*, PyObject* arguments) {
    try {
        const object list = checked(PySequence_Fast(arguments, "main() takes a list of str"));
        std::vector<std::string> texts;
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list.get()); ++i) {
            const object encoded = checked(PyUnicode_EncodeFSDefault(PySequence_Fast_GET_ITEM(list.get(), i)));
            texts.emplace_back(view_of_bytes(encoded.get()));
        }
        std::vector<const char*> argv;
        for (const std::string& t : texts) argv.push_back(t.c_str());
        python_served served;
        const int status = cli::run(served, static_cast<int>(argv.size()), argv.data());
        served.end();
        return PyLong_FromLong(status);
    } catch (...) {
        set_exception_from_current();
        return nullptr;
    }
}

// Called by os.register_at_fork() in the children of an application.
PyObject* after_fork_in_child(PyObject*, PyObject*) {
    python_served::after_foreign_fork();
    Py_RETURN_NONE;
}

PyObject* log_info(PyObject*, PyObject* message) {
    try {
        log::info(view_of_text(message));
        Py_RETURN_NONE;
    } catch (...) {
        set_exception_from_current();
        return nullptr;
    }
}

PyMethodDef functions[] = {
    {"main", run_main, METH_O, "main(arguments): runs the command line, returns the exit status"},
    {"after_fork_in_child", after_fork_in_child, METH_NOARGS, nullptr},
    {"make_driver", make_standalone_driver, METH_O,
     "make_driver(backend): returns a driver for rondo._selector.Selector, and its owner"},
    {"log_info", log_info, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

int initialize(PyObject* module) {
    try {
        new (PyModule_GetState(module)) runtime(module);
        return PyModule_AddStringConstant(module, "version", std::string(version).c_str());
    } catch (...) {
        set_exception_from_current();
        return -1;
    }
}

PyModuleDef_Slot slots[] = {{Py_mod_exec, as_slot(initialize)}, {0, nullptr}};
PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_rondo", "The server Rondo.", sizeof(runtime), functions, slots, nullptr, nullptr, nullptr};

}  // namespace

}  // namespace rondo::python

// Python derives the name from that of the module.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" PyObject* PyInit__rondo();
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" __attribute__((visibility("default"))) PyObject* PyInit__rondo() {
    return PyModuleDef_Init(&rondo::python::definition);
}
