// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/sqlite/file_pool.hpp>

#include <chrono>

#include <fmt/format.h>

#include <rondo/loop/timeout.hpp>

namespace rondo::db::sqlite {

namespace {

task<void> acquire_permit(semaphore& free) { co_await free.acquire(); }

class waiting_scope {
public:
    explicit waiting_scope(file_pool& p) noexcept : pool_(p) { ++pool_.waiting; }
    ~waiting_scope() {
        --pool_.waiting;
        ++pool_.waits;
        pool_.total_wait += clock::now() - since_;
    }
    waiting_scope(const waiting_scope&) = delete;
    waiting_scope& operator=(const waiting_scope&) = delete;

private:
    file_pool& pool_;
    const instant since_ = clock::now();
};

class cleanup_job final : thread_pool::job, posted_task {
public:
    cleanup_job(file_lease lease, event_loop& loop) noexcept : lease_(std::move(lease)), loop_(loop) {}
    static void start(file_lease lease) noexcept {
        auto self = std::make_unique<cleanup_job>(std::move(lease), event_loop::current());
        try {
            self->lease_.pool().threads.submit(*self);
            [[maybe_unused]] auto* owned_by_queue = self.release();
        } catch (const std::exception&) {
            self->lease_.get().clean_up();  // the queue is full: clean up on the loop thread
        }
    }

private:
    void run_on_thread() noexcept override {
        lease_.get().clean_up();
        loop_.post(static_cast<posted_task&>(*this));
    }
    void run_on_loop() noexcept override { delete this; }

    file_lease lease_;
    event_loop& loop_;
};

}  // namespace

file_pool::file_pool(const std::string& path, const options& l)
    : limits(l),
      single_file(path == ":memory:" || l.max_connections <= 1),
      readers(single_file ? 0 : l.max_connections - 1),
      writer(1),
      // One thread per connection: a leased connection gets a thread once the previous caller has left it.
      threads({.name = "sqlite",
               .threads = single_file ? 1 : l.max_connections,
               .queue = l.max_waiting,
               .refuse_past_deadline = false}) {
    add_file(writer, path);
    for (std::size_t i = 1; !single_file && i < l.max_connections; ++i) add_file(readers, path);
}

void file_pool::add_file(file_group& to, const std::string& path) {
    to.files.push_back(std::make_unique<file>(path, limits.acquire_timeout, limits.statement_cache_size));
    to.idle.push_back(to.files.back().get());
}

task<file_lease> acquire_file(file_pool_ptr pool, file_group& group) {
    co_await checkpoint();
    if (group.free.try_acquire()) co_return file_lease(pool, group);
    if (pool->waiting >= pool->limits.max_waiting)
        throw pool_exhausted(fmt::format("database pool exhausted: {} statements waiting", pool->waiting),
                             std::chrono::seconds(1));
    const waiting_scope scope(*pool);
    bool expired = false;
    try {
        co_await with_timeout(pool->limits.acquire_timeout, acquire_permit(group.free));
    } catch (const timed_out&) {
        expired = true;
    }
    if (expired)
        throw pool_exhausted(fmt::format("the SQLite file did not become free within {} ms: use shorter transactions",
                                         pool->limits.acquire_timeout.count()),
                             std::chrono::seconds(1));
    co_return file_lease(pool, group);
}

void clean_and_release(file_lease lease) noexcept { cleanup_job::start(std::move(lease)); }

}  // namespace rondo::db::sqlite
