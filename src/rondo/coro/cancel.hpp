// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include <rondo/base/intrusive_list.hpp>

namespace rondo {

/// Why something was cancelled.
enum class cancel_reason : std::uint8_t {
    none,
    requested,     ///< somebody called cancel()
    disconnected,  ///< the client went away
    deadline,      ///< the time allowed is over
    drain,         ///< the server stops
};

/// Thrown by every await of Rondo whose wait was cancelled. Deliberately not a std::exception, so that
/// `catch (const std::exception&)` in a view does not swallow it. Let it pass, or catch it, clean up and rethrow.
struct cancelled {
    cancel_reason reason = cancel_reason::requested;
};

class cancel_source;

/// Something to be called once when a cancel_source is cancelled. Leaves its source when destroyed.
/// Registered, removed and called on the source's thread only.
class cancel_callback : public list_node {
public:
    using function = void (*)(cancel_callback& self, cancel_reason reason) noexcept;

    explicit cancel_callback(function f) noexcept : function_(f) {}
    void operator()(cancel_reason reason) noexcept { function_(*this, reason); }

private:
    function function_;
};

/// Asks for an end of work. Belongs to one thread (the loop's): only announce(), requested() and reason() may be called
/// from others. Cancelling twice changes nothing: the first reason stays. Threads that block for it (works_for.hpp)
/// are woken by either.
class cancel_source {
public:
    cancel_source() noexcept = default;
    cancel_source(const cancel_source&) = delete;
    cancel_source& operator=(const cancel_source&) = delete;

    /// Calls every registered callback once. The source may be destroyed by a callback.
    void cancel(cancel_reason reason = cancel_reason::requested) noexcept;

    /// Lets requested() be true at once; the callbacks are called by the cancel() that has to follow on the source's
    /// thread. For a thread that is busy with what should end. Any thread.
    void announce(cancel_reason reason) noexcept;

    [[nodiscard]] bool requested() const noexcept { return reason() != cancel_reason::none; }
    [[nodiscard]] cancel_reason reason() const noexcept { return reason_.load(std::memory_order_relaxed); }

    /// From now on threads that block are told; by those, before they look. Any thread.
    void watch_blocked() noexcept {
        blocked_.store(true);
        (void)reason_.load();  // either this sees a cancellation, or the cancellation sees the other
    }

    /// The callback is not called when the source is cancelled already: ask requested() first.
    void add(cancel_callback& callback) noexcept { callbacks_.push_back(callback); }

    /// Makes a finished source usable for other work. Precondition: no callback is registered.
    void reset() noexcept {
        reason_.store(cancel_reason::none, std::memory_order_relaxed);
        announced_.store(false, std::memory_order_relaxed);
        blocked_.store(false, std::memory_order_relaxed);
    }

private:
    /// The first reason stays; true when this is it.
    bool settle(cancel_reason reason) noexcept;

    intrusive_list<cancel_callback> callbacks_;
    std::atomic<cancel_reason> reason_{cancel_reason::none};
    std::atomic<bool> announced_{false};  // and cancel() was not called yet
    std::atomic<bool> blocked_{false};    // a thread blocks, or blocked, for this
};

/// Looks at a cancel_source; a default-made one is never cancelled. A copy is a pointer: the source must outlive it.
class cancel_token {
public:
    cancel_token() noexcept = default;
    explicit cancel_token(cancel_source& source) noexcept : source_(&source) {}

    /// Any thread.
    [[nodiscard]] bool requested() const noexcept { return source_ && source_->requested(); }
    [[nodiscard]] cancel_reason reason() const noexcept { return source_ ? source_->reason() : cancel_reason::none; }

    /// Throws `cancelled` when cancellation was requested. Any thread.
    void check() const {
        if (requested()) throw cancelled{reason()};
    }

    [[nodiscard]] cancel_source* source() const noexcept { return source_; }

private:
    cancel_source* source_ = nullptr;
};

}  // namespace rondo
