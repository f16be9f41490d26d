// SPDX-License-Identifier: Apache-2.0
// A generator coroutine whose body may await.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <rondo/base/frame_memory.hpp>
#include <rondo/coro/task_context.hpp>

namespace rondo {

/// A coroutine that produces a sequence and may await while doing so:
///     while (std::string* piece = co_await pieces.next()) ...
/// `co_yield` treats its operand as in generator. At each pull the body runs in the context of the coroutine that
/// pulls. One consumer; a pull must end before the next starts. Move-only; destroying it early runs the destructors of
/// the body. Belongs to the thread that pulls.
template <class T>
class [[nodiscard("an async_generator does nothing until it is pulled")]] async_generator {
public:
    class promise_type;
    class next_awaiter;
    using handle = std::coroutine_handle<promise_type>;
    using value_type = std::remove_cvref_t<T>;
    using pointer = std::add_pointer_t<T>;

    /// An empty sequence.
    async_generator() noexcept = default;
    explicit async_generator(handle h) noexcept : handle_(h) {}
    async_generator(async_generator&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    async_generator& operator=(async_generator&& other) noexcept {
        if (this != &other) {
            if (handle_) handle_.destroy();
            handle_ = std::exchange(other.handle_, {});
        }
        return *this;
    }
    ~async_generator() {
        if (handle_) handle_.destroy();
    }

    /// Awaiting it runs the body to its next co_yield. The value is valid until the next pull; null after the last one.
    /// Rethrows the body's exception; throws `cancelled` without running the body if the consumer is cancelled.
    [[nodiscard("co_await it")]] next_awaiter next() noexcept { return next_awaiter(handle_); }

private:
    handle handle_;
};

template <class T>
class [[nodiscard("co_await it")]] async_generator<T>::next_awaiter {
public:
    explicit next_awaiter(handle h) noexcept : handle_(h) {}

    [[nodiscard]] bool await_ready() const noexcept { return !handle_ || handle_.done(); }
    template <class Promise>
    [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        task_context* in = context_of(awaiting);
        if (in && in->cancel.is_cancelled()) {
            reason_ = in->cancel.reason();
            return awaiting;
        }
        handle_.promise().set_consumer(awaiting, in);
        return handle_;
    }
    pointer await_resume() const {
        if (reason_ != cancel_reason::none) throw cancelled{reason_};
        return handle_ ? handle_.promise().take() : nullptr;
    }

private:
    handle handle_;
    cancel_reason reason_ = cancel_reason::none;
};

template <class T>
class async_generator<T>::promise_type {
    using value = std::remove_reference_t<T>;

    struct yield_awaiter {
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        [[nodiscard]] std::coroutine_handle<> await_suspend(handle h) const noexcept { return h.promise().consumer_; }
        void await_resume() const noexcept {}
    };
    struct copy_awaiter {
        value value_;
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        [[nodiscard]] std::coroutine_handle<> await_suspend(handle h) noexcept {
            h.promise().value_ = std::addressof(value_);
            return h.promise().consumer_;
        }
        void await_resume() const noexcept {}
    };

public:
    static void* operator new(std::size_t size) { return frame_memory::allocate(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { frame_memory::deallocate(frame, size); }

    async_generator get_return_object() noexcept { return async_generator(handle::from_promise(*this)); }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] yield_awaiter final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { failure_ = std::current_exception(); }

    [[nodiscard]] yield_awaiter yield_value(value&& v) noexcept
        requires(!std::is_reference_v<T>)
    {
        value_ = std::addressof(v);
        return {};
    }
    [[nodiscard]] copy_awaiter yield_value(const value& v)
        requires(!std::is_reference_v<T> && std::is_copy_constructible_v<value>)
    {
        return copy_awaiter{v};
    }
    [[nodiscard]] yield_awaiter yield_value(T v) noexcept
        requires std::is_reference_v<T>
    {
        value_ = std::addressof(v);
        return {};
    }

    [[nodiscard]] task_context* context() const noexcept { return context_; }
    void set_consumer(std::coroutine_handle<> consumer, task_context* in) noexcept {
        consumer_ = consumer;
        context_ = in;
    }
    pointer take() {
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
        return std::exchange(value_, nullptr);
    }

private:
    std::coroutine_handle<> consumer_;
    task_context* context_ = nullptr;
    pointer value_ = nullptr;
    std::exception_ptr failure_;
};

}  // namespace rondo
