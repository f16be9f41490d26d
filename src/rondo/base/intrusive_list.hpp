// SPDX-License-Identifier: Apache-2.0
// Doubly linked list whose nodes are the listed objects themselves.
#pragma once

namespace rondo {

/// Base of the items of an intrusive_list. The destructor unlinks it.
class list_node {
public:
    list_node() noexcept : prev_(this), next_(this) {}
    list_node(const list_node&) = delete;
    list_node& operator=(const list_node&) = delete;
    ~list_node() { unlink(); }

    [[nodiscard]] bool is_linked() const noexcept { return next_ != this; }

    /// Removes it from its list. Does nothing when it is in none.
    void unlink() noexcept {
        prev_->next_ = next_;
        next_->prev_ = prev_;
        prev_ = next_ = this;
    }

    void insert_before(list_node& position) noexcept {
        prev_ = position.prev_;
        next_ = &position;
        prev_->next_ = this;
        position.prev_ = this;
    }

    /// Moves all nodes of the ring around `root` in front of this node; `root` is then alone in its ring.
    void splice_ring(list_node& root) noexcept {
        if (!root.is_linked()) return;
        root.next_->prev_ = prev_;
        prev_->next_ = root.next_;
        root.prev_->next_ = this;
        prev_ = root.prev_;
        root.prev_ = root.next_ = &root;
    }

    [[nodiscard]] list_node* next() const noexcept { return next_; }
    [[nodiscard]] list_node* prev() const noexcept { return prev_; }

private:
    list_node* prev_;
    list_node* next_;
};

/// A doubly linked list of objects that derive from list_node. Owns and allocates nothing.
template <class T>
class intrusive_list {
public:
    intrusive_list() noexcept = default;
    intrusive_list(const intrusive_list&) = delete;
    intrusive_list& operator=(const intrusive_list&) = delete;

    [[nodiscard]] bool empty() const noexcept { return !root_.is_linked(); }
    void push_back(T& item) noexcept { static_cast<list_node&>(item).insert_before(root_); }
    [[nodiscard]] T& front() noexcept { return static_cast<T&>(*root_.next()); }
    [[nodiscard]] T& back() noexcept { return static_cast<T&>(*root_.prev()); }

    /// Unlinks and returns the first item. Precondition: not empty.
    T& pop_front() noexcept {
        T& item = front();
        static_cast<list_node&>(item).unlink();
        return item;
    }

    /// Moves all items of `other` to the end of this list in O(1).
    void splice(intrusive_list& other) noexcept { root_.splice_ring(other.root_); }

    /// Calls `f(item)` for each item; `f` must not unlink any other item.
    template <class F>
    void for_each(F&& f) {
        for (list_node* n = root_.next(); n != &root_;) {
            list_node* next = n->next();
            f(static_cast<T&>(*n));
            n = next;
        }
    }

private:
    list_node root_;
};

}  // namespace rondo
