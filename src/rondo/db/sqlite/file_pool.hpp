// SPDX-License-Identifier: Apache-2.0
// The connections to an SQLite file, their threads, and leases of connections.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <rondo/coro/semaphore.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/coro/this_context.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/options.hpp>
#include <rondo/db/sqlite/file.hpp>
#include <rondo/loop/thread_pool.hpp>

namespace rondo::db::sqlite {

/// The writing connection, or the reading connections; each is leased to one caller at a time.
struct file_group {
    explicit file_group(std::size_t count) noexcept : free(count) {}
    std::vector<std::unique_ptr<file>> files;
    std::vector<file*> idle;
    semaphore free;
};

/// Shared by the driver, its sessions and the coroutines that use a file. Has its own threads: those of the blocking
/// pool may all be waiting for it. Loop thread of the driver only.
struct file_pool {
    file_pool(const std::string& path, const options& l);
    [[nodiscard]] file_group& read_group() noexcept { return single_file ? writer : readers; }

    options limits;
    bool single_file;
    file_group readers;
    file_group writer;
    thread_pool threads;
    bool closed = false;  ///< the driver is destroyed: no more statements
    std::size_t waiting = 0;
    std::uint64_t queries = 0;
    std::uint64_t waits = 0;
    clock::duration total_wait{0};

private:
    void add_file(file_group& to, const std::string& path);
};
using file_pool_ptr = std::shared_ptr<file_pool>;

/// A leased connection; returned to its group by the destructor.
class file_lease {
public:
    /// Precondition: a permit of `group.free` was acquired.
    file_lease(file_pool_ptr pool, file_group& group) noexcept
        : pool_(std::move(pool)), group_(&group), file_(group.idle.back()) {
        group.idle.pop_back();
    }
    file_lease(file_lease&& other) noexcept
        : pool_(std::move(other.pool_)), group_(other.group_), file_(std::exchange(other.file_, nullptr)) {}
    file_lease& operator=(file_lease&&) = delete;
    ~file_lease() {
        if (!file_) return;
        group_->idle.push_back(file_);
        group_->free.release();
    }
    [[nodiscard]] file& get() const noexcept { return *file_; }
    [[nodiscard]] file_pool& pool() const noexcept { return *pool_; }
    [[nodiscard]] bool writes() const noexcept { return group_ == &pool_->writer; }

private:
    file_pool_ptr pool_;
    file_group* group_;
    file* file_;
};

/// Waits for a connection of the group; throws pool_exhausted when too many wait or the wait times out.
[[nodiscard]] task<file_lease> acquire_file(file_pool_ptr pool, file_group& group);

/// Releases a connection on which a statement or a transaction may be open, after ending them on a thread.
void clean_and_release(file_lease lease) noexcept;

/// Interrupts the statements on a file when the context is cancelled.
class interrupter final : public cancel_callback {
public:
    interrupter(file& f, task_context* context) noexcept
        : cancel_callback(
              [](cancel_callback& self, cancel_reason) noexcept { static_cast<interrupter&>(self).file_.interrupt(); }),
          file_(f) {
        file_.clear_interrupt();  // clears a late interrupt meant for an earlier caller
        if (context) context->cancel.add(*this);
    }
    ~interrupter() { file_.clear_interrupt(); }

private:
    file& file_;
};

/// Runs `f(file)` on a thread; throws `cancelled` when a cancellation interrupted it. One call at a time per file.
template <class F>
task<std::invoke_result_t<F&, file&>> run_on_file_thread(const file_lease& lease, F f) {
    file_pool& pool = lease.pool();
    if (pool.closed) throw connection_lost("the database object was closed");
    task_context* context = co_await this_context();
    file& target = lease.get();
    interrupter guard(target, context);
    auto job = [&f, &target] { return f(target); };
    try {
        co_return co_await pool.threads.run(job);
    } catch (const statement_cancelled&) {
        if (!target.is_interrupted()) throw;
    }
    if (context && context->cancel.is_cancelled()) throw cancelled{context->cancel.reason()};
    throw connection_lost(pool.closed ? "the database object was closed" : "the connection was released");
}

}  // namespace rondo::db::sqlite
