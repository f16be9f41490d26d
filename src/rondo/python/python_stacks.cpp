// SPDX-License-Identifier: Apache-2.0
#include <rondo/python/python_stacks.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <system_error>
#include <thread>

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rondo/base/thread.hpp>

namespace rondo::python {

using namespace std::chrono_literals;

namespace {

constexpr auto dump_timeout = 500ms;
constexpr auto dump_pause = 50ms;
constexpr auto probe_timeout = 200ms;
constexpr off_t max_size = 256 * 1024;

// A signal that applications do not use.
int dump_signal() noexcept { return SIGRTMAX - 3; }

// Whether a thread holds the GIL and does not give it back, unlike one that blocks without it.
bool is_gil_stuck() {
    const auto taken = std::make_shared<std::atomic<bool>>(false);
    named_thread("rondo-gil", [taken] {
        const PyGILState_STATE state = PyGILState_Ensure();
        taken->store(true);
        PyGILState_Release(state);
    }).detach();
    const auto until = std::chrono::steady_clock::now() + probe_timeout;
    while (!taken->load() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(5ms);
    return !taken->load();
}

const char* describe(gil_state state, bool is_stuck) noexcept {
    switch (state) {
        case gil_state::waiting: return "the event loop waits for the GIL, which another thread holds";
        case gil_state::released: return "the event loop does not run Python";
        case gil_state::held: break;
    }
    return is_stuck ? "Python code on the event loop holds the GIL" : "Python code blocks the event loop";
}

}  // namespace

python_stacks::python_stacks(const loop_gil& gil)
    : gil_(gil), file_(memfd_create("python-stacks", MFD_CLOEXEC)), loop_thread_(pthread_self()) {
    if (!file_) throw std::system_error(errno, std::generic_category(), "memfd_create");
    const object module = checked(PyImport_ImportModule("faulthandler"));
    const object method = checked(PyObject_GetAttrString(module.get(), "register"));
    const object arguments = checked(Py_BuildValue("(i)", dump_signal()));
    const object keywords =
        checked(Py_BuildValue("{s:i,s:O,s:O}", "file", file_.value(), "all_threads", Py_True, "chain", Py_False));
    (void)checked(PyObject_Call(method.get(), arguments.get(), keywords.get()));
}

std::string python_stacks::take() const {
    const std::lock_guard lock(mutex_);
    if (ftruncate(file_.value(), 0) != 0 || lseek(file_.value(), 0, SEEK_SET) != 0 ||
        pthread_kill(loop_thread_, dump_signal()) != 0)
        return {};
    // The end of the dump is not announced: it is complete when it has not grown for a while.
    off_t size = 0;
    const auto until = std::chrono::steady_clock::now() + dump_timeout;
    while (std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(dump_pause);
        const off_t now = lseek(file_.value(), 0, SEEK_END);
        if (now > 0 && now == size) break;
        size = now;
    }
    std::string stacks(static_cast<std::size_t>(std::clamp<off_t>(size, 0, max_size)), '\0');
    const ssize_t read = pread(file_.value(), stacks.data(), stacks.size(), 0);
    stacks.resize(read > 0 ? static_cast<std::size_t>(read) : 0);
    return stacks;
}

std::string python_stacks::text() const {
    const std::string stacks = take();
    return fmt::format("{}; Python stacks:\n{}", describe(gil_.state(), is_gil_stuck()),
                       stacks.empty() ? "not available" : stacks);
}

std::string python_stacks::loop_stack() const {
    if (gil_.state() == gil_state::released) return {};
    const std::string stacks = take();
    const std::size_t head = stacks.find("Current thread");
    const std::size_t first = head == stacks.npos ? head : stacks.find('\n', head);
    if (first == stacks.npos) return {};
    return stacks.substr(first + 1, stacks.find("\n\n", first) - first - 1);
}

}  // namespace rondo::python
