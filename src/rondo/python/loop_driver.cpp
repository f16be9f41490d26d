// SPDX-License-Identifier: Apache-2.0
#include <rondo/python/loop_driver.hpp>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <poll.h>

#include <rondo/python/asgi_application.hpp>
#include <rondo/python/runtime.hpp>

namespace rondo::python {

using namespace std::chrono_literals;

namespace {

// Of the module selectors.
constexpr int event_read = 1;
constexpr int event_write = 2;

int to_poll_events(int events) noexcept {
    return (events & event_read ? POLLIN : 0) | (events & event_write ? POLLOUT : 0);
}
// Errors and hang-ups are events of both kinds, as with selectors.EpollSelector.
int from_poll_events(int events) noexcept {
    return (events & ~POLLIN ? event_write : 0) | (events & ~POLLOUT ? event_read : 0);
}

template <class F>
void with_os_error(F f) {
    try {
        f();
    } catch (const std::system_error& e) {
        errno = e.code().value();
        PyErr_SetFromErrno(PyExc_OSError);
        throw error_set();
    }
}

struct driver_object {
    PyObject_HEAD loop_driver* driver;  // null when the loop has ended
};

// Runs a function of the driver and returns its result, or null with an exception.
template <class F>
PyObject* call(PyObject* self, F f) noexcept {
    loop_driver* const driver = reinterpret_cast<driver_object*>(self)->driver;
    if (driver == nullptr) {
        PyErr_SetString(PyExc_RuntimeError, "the event loop of this worker has ended");
        return nullptr;
    }
    try {
        return f(*driver).release();
    } catch (...) {
        set_exception_from_current();
        return nullptr;
    }
}

PyObject* driver_attach(PyObject* self, PyObject* arguments) {
    PyObject* loop = nullptr;
    int is_selector = 0;
    if (!PyArg_ParseTuple(arguments, "Op", &loop, &is_selector)) return nullptr;
    return call(self, [&](loop_driver& d) { return d.attach(loop, is_selector != 0), object::borrow(Py_None); });
}
PyObject* driver_select(PyObject* self, PyObject* timeout) {
    return call(self, [timeout](loop_driver& d) { return d.select(timeout); });
}
PyObject* driver_turn(PyObject* self, PyObject*) {
    return call(self, [](loop_driver& d) { return d.turn(); });
}
PyObject* driver_descriptor(PyObject* self, PyObject*) {
    return call(self, [](loop_driver& d) { return checked(PyLong_FromLong(d.descriptor())); });
}
PyObject* driver_watch(PyObject* self, PyObject* arguments) {
    int fd = 0;
    int events = 0;
    PyObject* key = nullptr;
    if (!PyArg_ParseTuple(arguments, "iiO", &fd, &events, &key)) return nullptr;
    return call(self, [&](loop_driver& d) { return d.watch(fd, events, key), object::borrow(Py_None); });
}
PyObject* driver_change(PyObject* self, PyObject* arguments) {
    int fd = 0;
    int events = 0;
    PyObject* key = nullptr;
    if (!PyArg_ParseTuple(arguments, "iiO", &fd, &events, &key)) return nullptr;
    return call(self, [&](loop_driver& d) { return d.change(fd, events, key), object::borrow(Py_None); });
}
PyObject* driver_unwatch(PyObject* self, PyObject* argument) {
    const long fd = PyLong_AsLong(argument);
    if (fd == -1 && PyErr_Occurred()) return nullptr;
    return call(self, [fd](loop_driver& d) { return d.unwatch(static_cast<int>(fd)), object::borrow(Py_None); });
}
void driver_destroy(PyObject* self) {
    PyTypeObject* const type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

PyMethodDef driver_methods[] = {
    {"attach", driver_attach, METH_VARARGS, nullptr}, {"select", driver_select, METH_O, nullptr},
    {"turn", driver_turn, METH_NOARGS, nullptr},      {"descriptor", driver_descriptor, METH_NOARGS, nullptr},
    {"watch", driver_watch, METH_VARARGS, nullptr},   {"change", driver_change, METH_VARARGS, nullptr},
    {"unwatch", driver_unwatch, METH_O, nullptr},     {nullptr, nullptr, 0, nullptr}};
PyType_Slot driver_slots[] = {{Py_tp_dealloc, as_slot(driver_destroy)}, {Py_tp_methods, driver_methods}, {0, nullptr}};
PyType_Spec driver_spec = {"rondo._rondo.Driver", sizeof(driver_object), 0, Py_TPFLAGS_DEFAULT, driver_slots};

}  // namespace

object make_driver_type() { return checked(PyType_FromSpec(&driver_spec)); }

/// A descriptor that asyncio watches, with the key that its selector returns for it.
class loop_driver::key_watch final : public descriptor_watch {
public:
    key_watch(loop_driver& owner, object key) noexcept : owner_(owner), key_(std::move(key)) {}

    void set_key(object key) noexcept { key_ = std::move(key); }
    [[nodiscard]] object take_event() {
        return checked(Py_BuildValue("(Oi)", key_.get(), from_poll_events(std::exchange(events_, 0)) & wanted));
    }

    int wanted = 0;

private:
    void ready(int events) noexcept override {
        if (events_ == 0) owner_.ready_.push_back(this);
        events_ |= events;
    }

    loop_driver& owner_;
    object key_;
    int events_ = 0;
};

loop_driver::loop_driver(event_loop& loop, loop_gil& gil, asgi_application* application, task<int> lifecycle)
    : loop_(loop), gil_(gil), application_(application), lifecycle_(std::move(lifecycle)), embedding_(loop) {
    auto* const type = reinterpret_cast<PyTypeObject*>(runtime::get().driver_type.get());
    object_ = checked(type->tp_alloc(type, 0));
    reinterpret_cast<driver_object*>(object_.get())->driver = this;
    loop_.set_block_hook(this);
}

loop_driver::~loop_driver() {
    gil_.acquire();
    if (application_ != nullptr) application_->detach_loop();
    loop_.set_block_hook(nullptr);
    for (auto& [fd, watch] : watches_) loop_.io().unwatch(*watch);
    reinterpret_cast<driver_object*>(object_.get())->driver = nullptr;
}

std::optional<int> loop_driver::result() {
    if (!has_ended_) return std::nullopt;
    return lifecycle_.coroutine().promise().take();
}

void loop_driver::attach(PyObject* asyncio_loop, bool is_selector) {
    asyncio_loop_ = object::borrow(asyncio_loop);
    is_selector_ = is_selector;
    if (is_selector) ready_callbacks_ = checked(PyObject_GetAttr(asyncio_loop, runtime::get().name.ready.get()));
    else schedule_turn_ = checked(PyObject_GetAttrString(asyncio_loop, "rondo_schedule_turn"));
    if (application_ != nullptr) application_->attach_loop(asyncio_loop_, *this);
}

bool loop_driver::is_budget_exhausted() const noexcept {
    return application_ != nullptr && application_->budget().is_exhausted();
}

void loop_driver::start_turn() {
    if (application_ != nullptr) application_->on_asyncio_turn();
    in_turn_ = true;
    if (!has_started_ && lifecycle_.valid()) start_lifecycle();
}

void loop_driver::start_lifecycle() {
    has_started_ = true;
    const auto coroutine = lifecycle_.coroutine();
    coroutine.promise().set_context(&context_);
    coroutine.promise().set_completion_handler(this);
    loop_.activity().enter(&context_);
    detail::start_task(coroutine);
    loop_.activity().enter(nullptr);
}

std::coroutine_handle<> loop_driver::on_completion(std::coroutine_handle<>, std::size_t, std::exception_ptr) noexcept {
    has_ended_ = true;
    return std::noop_coroutine();
}

Py_ssize_t loop_driver::scheduled_count() const {
    if (!asyncio_loop_) return 0;
    const object timers = checked(PyObject_GetAttr(asyncio_loop_.get(), runtime::get().name.scheduled.get()));
    return PyObject_Size(timers.get());
}

bool loop_driver::must_return() noexcept {
    if (has_ended_ || (application_ != nullptr && application_->has_exit())) return true;
    if (!ready_callbacks_) return false;
    if (PyObject_Size(ready_callbacks_.get()) > 0) return true;
    try {
        return scheduled_count() != scheduled_;
    } catch (const error_set&) {
        PyErr_Clear();
        return true;
    }
}

std::chrono::nanoseconds loop_driver::before_block(std::chrono::nanoseconds wait) noexcept {
    if (!is_selector_ || has_ended_ || is_budget_exhausted()) return 0ns;
    if (gil_.was_used()) {
        if (must_return()) return 0ns;
        gil_.clear_used();
    }
    if (application_ != nullptr) application_->budget().renew();
    gil_.release();
    return wait;
}

object loop_driver::select(PyObject* timeout) {
    using seconds = std::chrono::duration<double>;
    std::chrono::nanoseconds wait(-1);
    if (timeout != Py_None) {
        const double given = PyFloat_AsDouble(timeout);
        if (given == -1.0 && PyErr_Occurred()) throw error_set();
        wait = std::chrono::duration_cast<std::chrono::nanoseconds>(seconds(std::clamp(given, 0.0, 1e6)));
    }
    const instant until = wait.count() < 0 ? instant::max() : clock::now() + wait;
    scheduled_ = scheduled_count();
    gil_.clear_used();
    start_turn();
    for (;;) {
        embedding_.turn(wait);
        if (wait.count() == 0 || !ready_.empty() || has_ended_ || is_budget_exhausted()) break;
        if (gil_.is_held() && must_return()) break;
        if (until == instant::max()) continue;
        wait = std::max(0ns, std::chrono::nanoseconds(until - clock::now()));
        if (wait.count() == 0) break;
    }
    embedding_.flush();
    in_turn_ = false;
    gil_.acquire();
    stop_if_ended();
    throw_exit();
    return take_ready();
}

object loop_driver::turn() {
    is_turn_scheduled_ = false;
    start_turn();
    embedding_.turn(0ns);
    embedding_.flush();
    in_turn_ = false;
    gil_.acquire();
    stop_if_ended();
    throw_exit();
    if (is_budget_exhausted()) return checked(PyFloat_FromDouble(0));
    const std::chrono::nanoseconds next = embedding_.timeout();
    embedding_.set_idle();
    if (next.count() < 0) return object::borrow(Py_None);
    return checked(PyFloat_FromDouble(std::chrono::duration<double>(next).count()));
}

void loop_driver::stop_if_ended() {
    if (!has_ended_) return;
    (void)checked(PyObject_CallMethodNoArgs(asyncio_loop_.get(), runtime::get().name.stop.get()));
}

// As with asyncio, these exceptions leave the loop.
void loop_driver::throw_exit() {
    if (application_ == nullptr || !application_->has_exit()) return;
    restore_exception(application_->take_exit());
    throw error_set();
}

object loop_driver::take_ready() {
    object list = checked(PyList_New(static_cast<Py_ssize_t>(ready_.size())));
    const std::vector<key_watch*> ready = std::exchange(ready_, {});
    Py_ssize_t i = 0;
    for (key_watch* watch : ready) PyList_SET_ITEM(list.get(), i++, watch->take_event().release());
    return list;
}

void loop_driver::watch(int fd, int events, PyObject* key) {
    auto made = std::make_unique<key_watch>(*this, object::borrow(key));
    made->wanted = events;
    unwatch(fd);  // closed without notice, and used again
    with_os_error([&] { loop_.io().watch(*made, fd, to_poll_events(events)); });
    watches_[fd] = std::move(made);
}

void loop_driver::change(int fd, int events, PyObject* key) {
    const auto found = watches_.find(fd);
    if (found == watches_.end()) return watch(fd, events, key);
    if (found->second->wanted != events)
        with_os_error([&] { loop_.io().change_watch(*found->second, to_poll_events(events)); });
    found->second->wanted = events;
    found->second->set_key(object::borrow(key));
}

void loop_driver::unwatch(int fd) noexcept {
    const auto found = watches_.find(fd);
    if (found == watches_.end()) return;
    loop_.io().unwatch(*found->second);
    std::erase(ready_, found->second.get());
    watches_.erase(found);
}

int loop_driver::descriptor() const { return loop_.io().descriptor(); }

void loop_driver::on_activity() noexcept {
    if (is_selector_ || in_turn_ || is_turn_scheduled_ || !schedule_turn_) return;
    is_turn_scheduled_ = true;
    const object scheduled = object::steal(PyObject_CallNoArgs(schedule_turn_.get()));
    if (!scheduled) PyErr_WriteUnraisable(schedule_turn_.get());
}

}  // namespace rondo::python
