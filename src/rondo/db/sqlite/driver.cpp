// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include <rondo/db/error.hpp>
#include <rondo/db/sqlite/driver.hpp>
#include <rondo/db/sqlite/file_pool.hpp>
#include <rondo/db/sqlite/session.hpp>

namespace rondo::db::sqlite {

namespace {

result run_outside_transaction(file& f, const statement& s, const parameters& p) {
    result r = f.run(s, p);
    refuse_open_transaction(f, s.text());
    return r;
}

// Whether the statement looks read-only by its first word; the reading connection verifies it.
bool looks_read_only(std::string_view sql) noexcept {
    const std::size_t begin = sql.find_first_not_of(" \t\r\n(");
    if (begin == std::string_view::npos) return false;
    for (const std::string_view word : {"select", "with", "values", "explain"}) {
        const std::string_view first = sql.substr(begin, word.size());
        if (std::ranges::equal(first, word, [](char a, char b) { return (a | 0x20) == b; })) return true;
    }
    return false;
}

class file_driver final : public driver {
public:
    file_driver(const std::string& path, const options& limits) : pool_(std::make_shared<file_pool>(path, limits)) {}
    // Waits for the threads: the loop that they post to may be about to end.
    ~file_driver() override {
        pool_->closed = true;
        for (file_group* group : {&pool_->writer, &pool_->readers})
            for (auto& f : group->files) f->interrupt();
        while (pool_->threads.running() + pool_->threads.waiting() > 0)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }

    task<void> open() override {
        const file_lease lease = co_await acquire_file(pool_, pool_->writer);
        auto job = [](file& f) { f.open(); };
        co_await run_on_file_thread(lease, job);
    }
    task<result> query(statement s, parameters p) override {
        const file_pool_ptr pool = pool_;
        ++pool->queries;
        if (looks_read_only(s.text())) {
            const file_lease lease = co_await acquire_file(pool, pool->read_group());
            auto job = [&](file& f) -> std::optional<result> {
                if (!f.is_read_only(s) && !pool->single_file) return std::nullopt;
                return run_outside_transaction(f, s, p);
            };
            std::optional<result> read = co_await run_on_file_thread(lease, job);
            if (read) co_return std::move(*read);
        }
        const file_lease lease = co_await acquire_file(pool, pool->writer);
        auto job = [&](file& f) { return run_outside_transaction(f, s, p); };
        co_return co_await run_on_file_thread(lease, job);
    }
    task<std::unique_ptr<session>> acquire(bool writes) override {
        file_lease lease = co_await acquire_file(pool_, writes ? pool_->writer : pool_->read_group());
        co_return make_session(std::move(lease));
    }
    task<std::unique_ptr<session>> acquire_dedicated() override { return acquire(true); }
    database_stats stats() const noexcept override {
        database_stats s;
        s.connections = pool_->writer.files.size() + pool_->readers.files.size();
        s.idle = pool_->writer.idle.size() + pool_->readers.idle.size();
        s.running = pool_->threads.running();
        s.waiting = pool_->waiting;
        s.queries = pool_->queries;
        s.waits = pool_->waits;
        s.total_wait = pool_->total_wait;
        return s;
    }

private:
    file_pool_ptr pool_;
};

}  // namespace

std::unique_ptr<driver> make_driver(const std::string& path, const options& limits) {
    return std::make_unique<file_driver>(path, limits);
}

}  // namespace rondo::db::sqlite
