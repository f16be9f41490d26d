// SPDX-License-Identifier: Apache-2.0
// A synchronous generator coroutine.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>

#include <rondo/base/frame_memory.hpp>

namespace rondo {

/// A coroutine that produces a sequence, one value per call of next(). Its body cannot co_await (see async_generator).
/// It is an input range: `for (auto& item : lines())`; next() pulls single values.
/// `co_yield x` copies an lvalue, so the consumer may move from the value it receives; a temporary or `std::move(x)` is
/// not copied. `generator<const X&>` never copies. An exception of the body is thrown by the pull that caused it.
/// Move-only; destroying it early runs the destructors of the body. May move between threads while it is not running.
template <class T>
class [[nodiscard("a generator does nothing until it is pulled")]] generator {
public:
    class promise_type;
    class iterator;
    using handle = std::coroutine_handle<promise_type>;
    using value_type = std::remove_cvref_t<T>;
    using reference = std::add_lvalue_reference_t<T>;
    using pointer = std::add_pointer_t<T>;

    /// An empty sequence.
    generator() noexcept = default;
    explicit generator(handle h) noexcept : handle_(h) {}
    generator(generator&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    generator& operator=(generator&& other) noexcept {
        if (this != &other) {
            if (handle_) handle_.destroy();
            handle_ = std::exchange(other.handle_, {});
        }
        return *this;
    }
    ~generator() {
        if (handle_) handle_.destroy();
    }

    /// Runs the body to its next co_yield. The value is valid until the next call; null after the last one.
    pointer next() {
        if (!handle_ || handle_.done()) return nullptr;
        handle_.resume();
        return handle_.promise().take();
    }

    /// Pulls the first value; call it only once.
    [[nodiscard]] iterator begin() {
        iterator first(*this);
        ++first;
        return first;
    }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    handle handle_;
};

template <class T>
class generator<T>::promise_type {
    using value = std::remove_reference_t<T>;

    struct copy_awaiter {
        value value_;
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        void await_suspend(handle h) noexcept { h.promise().value_ = std::addressof(value_); }
        void await_resume() const noexcept {}
    };

public:
    static void* operator new(std::size_t size) { return frame_memory::allocate(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { frame_memory::deallocate(frame, size); }

    generator get_return_object() noexcept { return generator(handle::from_promise(*this)); }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { failure_ = std::current_exception(); }

    [[nodiscard]] std::suspend_always yield_value(value&& v) noexcept
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
    [[nodiscard]] std::suspend_always yield_value(T v) noexcept
        requires std::is_reference_v<T>
    {
        value_ = std::addressof(v);
        return {};
    }

    /// The consumer does not wait: the body must not await anything.
    template <class Awaitable>
    void await_transform(Awaitable&&) = delete;

    pointer take() {
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
        return std::exchange(value_, nullptr);
    }

private:
    pointer value_ = nullptr;
    std::exception_ptr failure_;
};

template <class T>
class generator<T>::iterator {
public:
    using iterator_concept = std::input_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = generator::value_type;

    explicit iterator(generator& g) noexcept : generator_(&g) {}
    [[nodiscard]] reference operator*() const noexcept { return static_cast<reference>(*value_); }
    [[nodiscard]] pointer operator->() const noexcept { return value_; }
    iterator& operator++() {
        value_ = generator_->next();
        return *this;
    }
    void operator++(int) { ++*this; }
    [[nodiscard]] friend bool operator==(const iterator& i, std::default_sentinel_t) noexcept { return !i.value_; }

private:
    generator* generator_;
    pointer value_ = nullptr;
};

}  // namespace rondo
