// SPDX-License-Identifier: Apache-2.0
// An ASGI application as a handler: each request is an asyncio.Task whose first step runs at once.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include <rondo/base/intrusive_list.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/coro/ready_queue.hpp>
#include <rondo/handler/application.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/python/asgi_call.hpp>
#include <rondo/python/asgi_response.hpp>
#include <rondo/python/asgi_scope.hpp>
#include <rondo/python/loop_gil.hpp>
#include <rondo/python/task_start.hpp>
#include <rondo/python/view_rows.hpp>
#include <rondo/web/access_log.hpp>

namespace rondo::python {

class loop_driver;

/// What the command line says about an application.
struct asgi_options {
    std::string application;  ///< MODULE:ATTRIBUTE
    std::string root_path;
    std::string lifespan = "auto";                   ///< auto, on or off
    std::chrono::milliseconds boot_timeout{60'000};  ///< after which the arbiter kills a worker that is not ready
};

/// Limits how much Python a turn runs before asyncio's own callbacks: 64 requests, or 5 ms.
class start_budget {
public:
    /// A new turn of asyncio's loop begins.
    void renew() noexcept {
        started_ = 0;
        is_exhausted_ = false;
    }
    [[nodiscard]] bool try_start() noexcept;
    [[nodiscard]] bool is_exhausted() const noexcept { return is_exhausted_; }

private:
    unsigned started_ = 0;
    bool is_exhausted_ = false;
    instant first_{};
};

/// Serves an ASGI application on the main thread of a worker, whose asyncio loop is driven by loop_driver.
class asgi_application final : public handler::application {
public:
    /// `worker` is the Python module rondo._worker. With the GIL.
    asgi_application(asgi_options options, loop_gil& gil, object worker);
    ~asgi_application() override;

    // handler::application; without the GIL.
    [[nodiscard]] task<void> startup() override;
    [[nodiscard]] task<void> shutdown() override;
    [[nodiscard]] task<void> serve(handler::request& from, handler::responder& to) override;
    void register_views(stats::worker_stats& s) override { views_.register_in(s); }
    void on_refused(handler::request& from, http::status code, std::uint64_t body_bytes) noexcept override;

    void set_access_log(access_log_sink* sink) noexcept { access_log_ = sink; }

    /// Waits until `deadline` for calls that go on after their response, then cancels them.
    [[nodiscard]] task<void> stop_background(instant deadline);
    void cancel_running() noexcept;
    void set_end_of_grace(instant end) noexcept { end_of_grace_ = end; }
    /// Ends the streams, whose receive() then returns http.disconnect.
    void end_streams() noexcept;
    [[nodiscard]] std::size_t running() const noexcept { return running_count_; }

    // Used by the loop driver.
    void attach_loop(object asyncio_loop, loop_driver& driver);
    void detach_loop() noexcept { driver_ = nullptr; }
    [[nodiscard]] start_budget& budget() noexcept { return budget_; }
    void on_asyncio_turn() noexcept;
    /// SystemExit or KeyboardInterrupt that left an application; empty otherwise.
    [[nodiscard]] object take_exit() noexcept { return std::move(exit_); }
    [[nodiscard]] bool has_exit() const noexcept { return static_cast<bool>(exit_); }

    // Used by exchanges and calls.
    /// Python code has written output or woken a coroutine.
    void on_activity() noexcept;
    [[nodiscard]] loop_gil& gil() noexcept { return gil_; }
    [[nodiscard]] scope_factory& scopes() noexcept { return *scopes_; }
    [[nodiscard]] view_rows& views() noexcept { return views_; }
    [[nodiscard]] PyObject* callable() const noexcept { return callable_.get(); }
    [[nodiscard]] PyObject* event_loop() const noexcept { return asyncio_loop_.get(); }
    /// Makes the task of a call and runs its first step. Throws error_set.
    void start_task(PyObject* call);
    /// A step of a call begins, perhaps in a turn of asyncio's.
    void on_step_start(const call_state& call) noexcept;
    /// The coroutine of a call has ended. Returns true when its exception must go on to the task.
    [[nodiscard]] bool on_call_end(PyObject* call, const object& failure) noexcept;
    /// Memory for the fields of one response at a time.
    [[nodiscard]] response_fields& scratch_fields(const void* owner) noexcept {
        scratch_owner_ = owner;
        return scratch_;
    }
    [[nodiscard]] bool owns_scratch_fields(const void* owner) const noexcept { return scratch_owner_ == owner; }

private:
    [[nodiscard]] task<void> run_lifespan(const char* method, clock::duration limit);
    [[nodiscard]] object make_task(PyObject* call);
    void log_failure(const call_state& call, const object& failure) noexcept;
    [[nodiscard]] bool is_expected(const call_state& call, PyObject* failure) const noexcept;
    void log_access(handler::request& from, const handler::responder& to, bool complete) noexcept;

    const asgi_options options_;
    loop_gil& gil_;
    thread_activity& activity_;
    object worker_;
    object asyncio_loop_;
    loop_driver* driver_ = nullptr;
    object callable_;
    object lifespan_;
    object base_context_;  // contextvars that every request starts with
    object loop_dictionary_;
    object capture_;  // replaces call_soon() while a task is made (before Python 3.12)
    std::optional<scope_factory> scopes_;
    view_rows views_;
    start_budget budget_;
    event asyncio_turn_;
    access_log_sink* access_log_ = nullptr;
    intrusive_list<call_state> running_calls_;
    std::size_t running_count_ = 0;
    response_fields scratch_;
    const void* scratch_owner_ = nullptr;
    object exit_;
    instant end_of_grace_{};
};

}  // namespace rondo::python
