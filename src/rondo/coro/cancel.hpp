// SPDX-License-Identifier: Apache-2.0
// Cancellation: sources, tokens, callbacks, reasons and the exception.
#pragma once

#include <atomic>
#include <cstdint>

#include <rondo/base/intrusive_list.hpp>

namespace rondo {

/// Why work was cancelled.
enum class cancel_reason : std::uint8_t {
    none,
    requested,     ///< cancel() was called without a reason
    disconnected,  ///< the client disconnected
    deadline,      ///< the deadline has passed
    drain,         ///< the server is shutting down
};

/// Thrown by every await of Rondo whose wait was cancelled. Deliberately not a std::exception, so that
/// `catch (const std::exception&)` in a view does not swallow it. Let it propagate, or catch it, clean up and rethrow.
struct cancelled {
    cancel_reason reason = cancel_reason::requested;
};

class cancel_source;

/// A callback that a cancel_source calls once when it is cancelled. Destroying it unregisters it.
/// Registered, unregistered and called on the source's thread only.
class cancel_callback : public list_node {
public:
    using function = void (*)(cancel_callback& self, cancel_reason reason) noexcept;

    explicit cancel_callback(function f) noexcept : function_(f) {}
    void operator()(cancel_reason reason) noexcept { function_(*this, reason); }

private:
    function function_;
};

/// Cancels work. Belongs to one thread (the loop's): only request(), is_cancelled() and reason() may be called from
/// other threads. Cancelling again has no effect: the first reason is kept. request() and cancel() both wake the
/// threads that block on behalf of this source (blocking_scope.hpp).
class cancel_source {
public:
    cancel_source() noexcept = default;
    cancel_source(const cancel_source&) = delete;
    cancel_source& operator=(const cancel_source&) = delete;

    /// Calls every registered callback once. A callback may destroy the source.
    void cancel(cancel_reason reason = cancel_reason::requested) noexcept;

    /// Makes is_cancelled() return true at once. The callbacks run when cancel() is called on the source's thread,
    /// which must follow. For cancelling work that occupies a thread. Any thread.
    void request(cancel_reason reason) noexcept;

    [[nodiscard]] bool is_cancelled() const noexcept { return reason() != cancel_reason::none; }
    [[nodiscard]] cancel_reason reason() const noexcept { return reason_.load(std::memory_order_relaxed); }

    /// Makes a cancellation wake blocked threads; a thread calls it before it checks and blocks. Any thread.
    void set_has_blocked_waiters() noexcept {
        has_blocked_waiters_.store(true);
        (void)reason_.load();  // either this load sees a cancellation, or the cancellation sees blocked waiters
    }

    /// Registers a callback. It is not called if the source is already cancelled: check is_cancelled() first.
    void add(cancel_callback& callback) noexcept { callbacks_.push_back(callback); }

    /// Makes the source reusable for other work. Precondition: no callback is registered.
    void reset() noexcept {
        reason_.store(cancel_reason::none, std::memory_order_relaxed);
        callbacks_pending_.store(false, std::memory_order_relaxed);
        has_blocked_waiters_.store(false, std::memory_order_relaxed);
    }

private:
    /// Sets the reason unless one is set; returns true if it was set.
    bool set_reason(cancel_reason reason) noexcept;

    intrusive_list<cancel_callback> callbacks_;
    std::atomic<cancel_reason> reason_{cancel_reason::none};
    std::atomic<bool> callbacks_pending_{false};    // requested, but cancel() was not called yet
    std::atomic<bool> has_blocked_waiters_{false};  // a thread blocks, or has blocked, on behalf of this source
};

/// A read-only reference to a cancel_source, which must outlive it. A default-constructed token is never cancelled.
class cancel_token {
public:
    cancel_token() noexcept = default;
    explicit cancel_token(cancel_source& source) noexcept : source_(&source) {}

    /// Any thread.
    [[nodiscard]] bool is_cancelled() const noexcept { return source_ && source_->is_cancelled(); }
    [[nodiscard]] cancel_reason reason() const noexcept { return source_ ? source_->reason() : cancel_reason::none; }

    /// Throws `cancelled` when cancellation was requested. Any thread.
    void check() const {
        if (is_cancelled()) throw cancelled{reason()};
    }

    [[nodiscard]] cancel_source* source() const noexcept { return source_; }

private:
    cancel_source* source_ = nullptr;
};

}  // namespace rondo
