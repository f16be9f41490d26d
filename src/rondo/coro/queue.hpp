// SPDX-License-Identifier: Apache-2.0
// A bounded first-in, first-out queue between coroutines.
#pragma once

#include <coroutine>
#include <cstddef>
#include <deque>
#include <exception>
#include <optional>
#include <utility>

#include <rondo/coro/waiter.hpp>

namespace rondo {

/// Thrown by a push to a closed queue.
class queue_closed : public std::exception {
public:
    [[nodiscard]] const char* what() const noexcept override { return "the queue is closed"; }
};

/// A queue of at most `capacity` items between coroutines of one thread, first in, first out; waiting coroutines are
/// served in the order in which they came. An item passed to a coroutine that is destroyed before it resumes returns to
/// the front. Coroutines that still wait when the queue is destroyed wait until they are cancelled. Moving a T must not
/// throw.
template <class T>
class queue {
public:
    class push_awaiter;
    class pop_awaiter;

    /// A capacity of 0 means 1.
    explicit queue(std::size_t capacity) noexcept : capacity_(capacity ? capacity : 1) {}
    queue(const queue&) = delete;
    queue& operator=(const queue&) = delete;
    ~queue() {
        while (!pushing_.empty()) pushing_.pop_front();
        while (!popping_.empty()) popping_.pop_front();
    }

    /// `co_await q.push(item)` waits for room. Throws queue_closed, also when the queue is closed during the wait, and
    /// `cancelled`; in both cases the item is not in the queue.
    [[nodiscard("co_await it")]] push_awaiter push(T item) { return push_awaiter(*this, std::move(item)); }
    /// `co_await q.pop()` waits for an item; std::nullopt when the queue is closed and empty. Throws `cancelled`.
    [[nodiscard("co_await it")]] pop_awaiter pop() noexcept { return pop_awaiter(*this); }

    /// Returns false and leaves the item untouched when there is no room. Throws queue_closed.
    [[nodiscard]] bool try_push(T&& item);
    [[nodiscard]] bool try_push(const T& item) { return try_push(T(item)); }
    [[nodiscard]] std::optional<T> try_pop();

    /// Rejects further pushes; queued items can still be popped. Closing again has no effect.
    void close() noexcept;

    [[nodiscard]] bool is_closed() const noexcept { return closed_; }
    [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

private:
    void put_back(T item);

    std::deque<T> items_;
    std::size_t capacity_;
    intrusive_list<push_awaiter> pushing_;  // only when full
    intrusive_list<pop_awaiter> popping_;   // only when empty
    bool closed_ = false;
};

template <class T>
class queue<T>::push_awaiter : public waiter {
public:
    push_awaiter(queue& q, T item) : queue_(q), item_(std::move(item)) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) {
        if (!suspend(awaiting)) return false;
        if (!queue_.closed_ && !queue_.try_push(std::move(item_))) {
            queue_.pushing_.push_back(*this);
            return true;
        }
        refused_ = queue_.closed_;
        this->stop_waiting();
        return false;
    }
    void await_resume() const {
        check();
        if (refused_) throw queue_closed();
    }

private:
    friend class queue;
    queue& queue_;
    T item_;
    bool refused_ = false;
};

template <class T>
class queue<T>::pop_awaiter : public waiter {
public:
    explicit pop_awaiter(queue& q) noexcept : queue_(q) {}
    ~pop_awaiter() {
        if (item_) queue_.put_back(std::move(*item_));
    }
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) {
        if (!suspend(awaiting)) return false;
        item_ = queue_.try_pop();
        if (!item_ && !queue_.closed_) {
            queue_.popping_.push_back(*this);
            return true;
        }
        this->stop_waiting();
        return false;
    }
    [[nodiscard]] std::optional<T> await_resume() {
        check();
        return std::exchange(item_, std::nullopt);
    }

private:
    friend class queue;
    queue& queue_;
    std::optional<T> item_;
};

template <class T>
bool queue<T>::try_push(T&& item) {
    if (closed_) throw queue_closed();
    if (!popping_.empty()) {
        pop_awaiter& receiver = popping_.front();
        receiver.item_.emplace(std::move(item));
        receiver.wake();
        return true;
    }
    if (items_.size() >= capacity_) return false;
    items_.push_back(std::move(item));
    return true;
}

template <class T>
std::optional<T> queue<T>::try_pop() {
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    if (!pushing_.empty() && items_.size() < capacity_) {
        push_awaiter& next = pushing_.front();
        items_.push_back(std::move(next.item_));
        next.wake();
    }
    return item;
}

template <class T>
void queue<T>::put_back(T item) {
    if (popping_.empty()) return items_.push_front(std::move(item));
    pop_awaiter& receiver = popping_.front();
    receiver.item_.emplace(std::move(item));
    receiver.wake();
}

template <class T>
void queue<T>::close() noexcept {
    ready_queue::batch batch;
    closed_ = true;
    while (!popping_.empty()) popping_.front().wake();
    while (!pushing_.empty()) {
        pushing_.front().refused_ = true;
        pushing_.front().wake();
    }
}

}  // namespace rondo
