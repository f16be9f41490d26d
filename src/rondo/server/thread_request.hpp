// SPDX-License-Identifier: Apache-2.0
// One request that is received and answered on the event loop but served on a view thread.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/base/frame_memory.hpp>
#include <rondo/base/spool.hpp>
#include <rondo/base/unique_fd.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/handler/application.hpp>
#include <rondo/handler/offload_timer.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/server/view_thread_pool.hpp>

namespace rondo::server {

/// Parts of a response passed from a view thread to the loop, which sends them: all since the previous update.
struct response_update {
    enum class state : std::uint8_t { none, respond, start };
    enum class end : std::uint8_t { none, finish, abort };

    /// Body bytes, or a part of a file.
    struct piece {
        std::string bytes;
        unique_fd file;
        std::uint64_t offset = 0;
        std::uint64_t length = 0;

        /// Bytes that count towards the limit of unsent data.
        [[nodiscard]] std::uint64_t cost() const noexcept { return file ? 16384 : bytes.size(); }
    };

    struct interim_response {
        http::status code{};
        http::fields fields;
    };

    std::vector<interim_response> interim;  ///< sent before the head
    state head = state::none;
    bool close = false;
    bool has_date = false;
    std::uint16_t view_row = 0;  ///< handler::request::view_row
    http::status code{};
    std::string content_type;
    std::string reason;
    http::fields fields;
    std::optional<std::uint64_t> length;
    std::string body;  ///< of respond
    std::vector<piece> pieces;
    end completion = end::none;
    http::fields trailers;        ///< of finish
    http::status abort_status{};  ///< of abort

    [[nodiscard]] handler::response_head response_head() const noexcept {
        return {code, content_type, fields.empty() ? nullptr : &fields, close, has_date, reason};
    }
};

/// One request that a view thread serves for a loop, and all state shared between the two. Created and owned by the
/// loop; reference-counted, so it exists until the thread and posted callbacks have released it.
class thread_request final : thread_pool::job, posted_task {
public:
    /// Deleter for the loop: removes a queued request from the queue; cancels one that is being served and waits for
    /// its end.
    struct deleter {
        void operator()(thread_request* r) const noexcept { r->abandon(); }
    };
    using pointer = std::unique_ptr<thread_request, deleter>;

    /// All arguments must outlive the returned pointer.
    [[nodiscard]] static pointer make(handler::application& app, view_thread_pool& threads, handler::request& from,
                                      handler::responder& to, std::size_t body_in_memory);

    thread_request(const thread_request&) = delete;
    thread_request& operator=(const thread_request&) = delete;

    static void* operator new(std::size_t size) { return frame_memory::allocate(size); }
    static void operator delete(void* memory, std::size_t size) noexcept { frame_memory::deallocate(memory, size); }

    // On the loop of the connection.

    /// Receives the body up to its limit. A failure other than `cancelled` is stored and thrown when the body is read.
    [[nodiscard]] task<void> receive_body();
    /// Call instead of receive_body() for a request without a body.
    void set_no_body() noexcept { body_complete_ = true; }
    /// Queues the request. Throws pool_full.
    void submit();
    /// Waits for the next update of the thread. Throws `cancelled` when the request was removed from the queue.
    class [[nodiscard]] update_awaiter;
    [[nodiscard]] update_awaiter next_update() noexcept;
    /// Passes a complete small response to the responder. Returns false when deliver() is needed. Once the thread is
    /// done, is_finished() is true.
    [[nodiscard]] bool try_deliver_at_once();
    [[nodiscard]] task<void> deliver();
    [[nodiscard]] bool is_finished() const noexcept { return finished_; }
    /// Once finished: the exception of the application, or the failure to send its response.
    [[nodiscard]] const std::exception_ptr& failure() const noexcept { return failure_; }
    [[nodiscard]] bool application_threw() const noexcept { return application_called_ && thread_failure_; }

    // On the thread.

    /// Handles an update of the loop.
    void on_update() noexcept;
    /// Called before the thread waits: sends pending notifications.
    void before_wait() noexcept;

private:
    friend class thread_body;
    friend class thread_responder;

    thread_request(handler::application& app, view_thread_pool& threads, handler::request& from, handler::responder& to,
                   std::size_t body_in_memory) noexcept;
    ~thread_request() = default;

    struct cancel_forwarder : cancel_callback {
        explicit cancel_forwarder(thread_request& r) noexcept;
        thread_request& owner_;
    };
    void abandon() noexcept;
    void release() noexcept;
    void finish() noexcept;
    void cancel(cancel_reason reason) noexcept;
    void run_on_loop() noexcept override;
    void run_on_thread() noexcept override;
    void run_view(view_thread& thread);
    /// Notifies the loop of changes made under the lock `held`, and unlocks it.
    void notify_loop(std::unique_lock<std::mutex>& held) noexcept;
    /// Notifies the thread, if it waits, of changes made under the lock `held`, and unlocks it.
    void notify_thread(std::unique_lock<std::mutex>& held) noexcept;

    [[nodiscard]] task<void> receive_pieces();
    void deliver_head(const response_update& update);
    [[nodiscard]] task<void> deliver_pieces(const response_update& update);
    void deliver_end(const response_update& update);
    [[nodiscard]] task<void> read_for_thread();
    void fail(std::exception_ptr cause) noexcept;

    handler::application& app_;
    view_thread_pool& threads_;
    handler::request& request_;
    handler::responder& responder_;
    event_loop& loop_;  // of the connection
    cancel_forwarder cancel_callback_;

    // Written before the thread starts.
    std::string_view body_;  // a body that was received in one piece
    spool spool_;
    std::exception_ptr body_failure_;
    std::uint64_t received_ = 0;
    bool in_spool_ = false;
    bool body_complete_ = false;  // the body was received completely
    std::optional<std::uint64_t> length_;
    std::uint64_t limit_ = 0;

    // Used by the loop only.
    ready_node waiting_;
    std::optional<handler::offload_timer> offload_;
    bool queued_ = false;
    bool finished_ = false;
    cancel_reason removal_reason_ = cancel_reason::none;
    std::exception_ptr failure_;

    // Shared, guarded by the mutex.
    std::mutex mutex_;
    response_update update_;
    std::uint64_t unsent_bytes_ = 0;  // bytes of pieces that the responder has not accepted
    view_thread* thread_ = nullptr;   // while it serves this request
    task_context* context_ = nullptr;
    cancel_reason reason_ = cancel_reason::none;
    bool loop_waiting_ = false;         // the loop is suspended in next_update()
    bool thread_waiting_ = false;       // the thread waits for thread_wakeup_
    bool loop_notified_ = false;        // an update for the loop is ready
    bool notify_pending_ = false;       // the loop must be notified before the thread waits
    bool thread_done_ = false;          // the thread is done
    bool client_disconnected_ = false;  // nothing can be sent any more
    bool read_requested_ = false;
    bool body_ended_ = false;                 // the end of the body was read
    std::uint64_t read_limit_ = 0;            // with read_requested_
    std::optional<std::string> read_result_;  // result of the requested read
    std::exception_ptr read_failure_;
    std::exception_ptr thread_failure_;
    bool application_called_ = false;

    // Used by the thread only.
    event thread_wakeup_;

    std::atomic<bool> released_by_thread_{true};
    std::atomic<int> references_{1};
};

class thread_request::update_awaiter {
public:
    explicit update_awaiter(thread_request& r) noexcept : request_(r) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        return suspend(caller, context_of(caller));
    }
    void await_resume() const;

private:
    [[nodiscard]] bool suspend(std::coroutine_handle<> caller, task_context* context) noexcept;
    thread_request& request_;
};

inline thread_request::update_awaiter thread_request::next_update() noexcept { return update_awaiter(*this); }

}  // namespace rondo::server
