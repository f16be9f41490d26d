// SPDX-License-Identifier: Apache-2.0
// The lazy coroutine type task<T>.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <rondo/base/frame_memory.hpp>
#include <rondo/coro/task_context.hpp>

namespace rondo {

template <class T = void>
class task;

namespace detail {

/// Called when a task ends that no coroutine awaits, instead of resuming one (task_group, sync_wait).
class completion_handler {
public:
    /// The task is suspended at its final suspension point: its frame may be destroyed. `data` is the argument of
    /// set_completion_handler(); `failure` is null when the task has a result. Returns the coroutine to resume.
    virtual std::coroutine_handle<> on_completion(std::coroutine_handle<> task, std::size_t data,
                                                  std::exception_ptr failure) noexcept = 0;

protected:
    ~completion_handler() = default;
};

class task_promise_base {
public:
    static void* operator new(std::size_t size) { return frame_memory::allocate(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { frame_memory::deallocate(frame, size); }

    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }

    struct final_awaiter {
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
            task_promise_base& promise = ended.promise();
            if (promise.completion_handler_)
                return promise.completion_handler_->on_completion(ended, promise.completion_data_,
                                                                  ended.promise().failure());
            if (promise.continuation_) return promise.continuation_;
            return std::noop_coroutine();
        }
        void await_resume() const noexcept {}
    };
    [[nodiscard]] final_awaiter final_suspend() const noexcept { return {}; }

    [[nodiscard]] task_context* context() const noexcept { return context_; }
    void set_context(task_context* c) noexcept { context_ = c; }
    void set_continuation(std::coroutine_handle<> awaiting) noexcept { continuation_ = awaiting; }

    /// To be called before the task starts, which then must not be awaited. `data` is passed to the handler.
    void set_completion_handler(completion_handler* handler, std::size_t data = 0) noexcept {
        completion_handler_ = handler;
        completion_data_ = data;
    }

private:
    completion_handler* completion_handler_ = nullptr;
    union {
        std::coroutine_handle<> continuation_{};
        std::size_t completion_data_;  // when there is a completion_handler_
    };
    task_context* context_ = nullptr;
};

enum class outcome : unsigned char { none, value, failure };

template <class T>
class task_promise final : public task_promise_base {
public:
    task_promise() noexcept {}
    ~task_promise() {
        if (outcome_ == outcome::value) std::destroy_at(&value_);
        else if (outcome_ == outcome::failure) std::destroy_at(&failure_);
    }
    task<T> get_return_object() noexcept;
    template <class U = T>
        requires std::convertible_to<U, T>
    void return_value(U&& value) {
        std::construct_at(&value_, std::forward<U>(value));
        outcome_ = outcome::value;
    }
    void unhandled_exception() noexcept {
        if (outcome_ == outcome::value) std::destroy_at(&value_);  // a local's destructor threw after co_return
        std::construct_at(&failure_, std::current_exception());
        outcome_ = outcome::failure;
    }
    [[nodiscard]] std::exception_ptr failure() const noexcept {
        return outcome_ == outcome::failure ? failure_ : std::exception_ptr{};
    }
    [[nodiscard]] T& value() {
        if (outcome_ == outcome::failure) std::rethrow_exception(std::move(failure_));
        return value_;
    }
    [[nodiscard]] T take() { return std::move(value()); }

private:
    union {
        T value_;
        std::exception_ptr failure_;
    };
    outcome outcome_ = outcome::none;
};

template <class T>
class task_promise<T&> final : public task_promise_base {
public:
    task<T&> get_return_object() noexcept;
    void return_value(T& value) noexcept { value_ = std::addressof(value); }
    void unhandled_exception() noexcept { failure_ = std::current_exception(); }
    [[nodiscard]] std::exception_ptr failure() const noexcept { return failure_; }
    [[nodiscard]] T& take() {
        if (failure_) std::rethrow_exception(std::move(failure_));
        return *value_;
    }

private:
    T* value_ = nullptr;
    std::exception_ptr failure_;
};

template <>
class task_promise<void> final : public task_promise_base {
public:
    task<void> get_return_object() noexcept;
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { failure_ = std::current_exception(); }
    [[nodiscard]] std::exception_ptr failure() const noexcept { return failure_; }
    void take() {
        if (failure_) std::rethrow_exception(std::move(failure_));
    }

private:
    std::exception_ptr failure_;
};

}  // namespace detail

/// A lazy coroutine with one result. Nothing runs until it is awaited; awaiting transfers control without growing the
/// stack and passes the awaiting coroutine's context on. The `co_await` rethrows an exception of the task.
/// Move-only; the owner destroys the frame in any state. Await it once. Runs on the awaiting thread.
template <class T>
class [[nodiscard("a task does nothing until it is awaited: co_await it")]] task {
public:
    using promise_type = detail::task_promise<T>;
    using value_type = T;
    using handle = std::coroutine_handle<promise_type>;

    task() noexcept = default;
    explicit task(handle h) noexcept : handle_(h) {}
    task(task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    task& operator=(task&& other) noexcept {
        if (this != &other) {
            if (handle_) handle_.destroy();
            handle_ = std::exchange(other.handle_, {});
        }
        return *this;
    }
    ~task() {
        if (handle_) handle_.destroy();
    }

    [[nodiscard]] bool valid() const noexcept { return static_cast<bool>(handle_); }
    /// Returns true when the task has run to its end.
    [[nodiscard]] bool done() const noexcept { return handle_ && handle_.done(); }

    class [[nodiscard]] awaiter {
    public:
        explicit awaiter(handle h) noexcept : handle_(h) {}
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        template <class Promise>
        [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) const noexcept {
            promise_type& promise = handle_.promise();
            promise.set_continuation(awaiting);
            if (task_context* in = context_of(awaiting)) promise.set_context(in);
            return handle_;
        }
        T await_resume() const { return handle_.promise().take(); }

    protected:
        [[nodiscard]] handle coroutine() const noexcept { return handle_; }

    private:
        handle handle_;
    };

    /// Precondition: valid(), and not awaited before.
    [[nodiscard]] awaiter operator co_await() && noexcept { return awaiter(handle_); }

    /// `co_await t.in_place()` returns a reference to the result instead of moving it out: for large results, or
    /// results shared by several coroutines. The reference is valid as long as the task. T is an object type.
    class [[nodiscard("co_await it")]] in_place_awaiter : public awaiter {
    public:
        using awaiter::awaiter;
        auto& await_resume() const { return this->coroutine().promise().value(); }
    };
    [[nodiscard]] in_place_awaiter in_place() & noexcept { return in_place_awaiter(handle_); }

    /// Releases ownership of the frame; the caller destroys it.
    [[nodiscard]] handle release() noexcept { return std::exchange(handle_, {}); }
    /// The frame, for code that starts tasks (task_group, sync_wait, a loop).
    [[nodiscard]] handle coroutine() const noexcept { return handle_; }

private:
    handle handle_;
};

template <class T>
task<T> detail::task_promise<T>::get_return_object() noexcept {
    return task<T>(std::coroutine_handle<task_promise>::from_promise(*this));
}
template <class T>
task<T&> detail::task_promise<T&>::get_return_object() noexcept {
    return task<T&>(std::coroutine_handle<task_promise>::from_promise(*this));
}
inline task<void> detail::task_promise<void>::get_return_object() noexcept {
    return task<void>(std::coroutine_handle<task_promise>::from_promise(*this));
}

}  // namespace rondo
