// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <rondo/coro/semaphore.hpp>
#include <rondo/coro/this_context.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/sqlite/file.hpp>
#include <rondo/db/sqlite/open.hpp>
#include <rondo/loop/pool.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::db::sqlite {

namespace {

constexpr std::size_t rows_at_once = 256;

// One that writes, or some that read; each serves one at a time.
struct files {
    explicit files(std::size_t count) noexcept : free(count) {}
    std::vector<std::unique_ptr<file>> all;
    std::vector<file*> unused;
    semaphore free;
};

// What the driver, its sessions and the coroutines that work on a file have in common. The threads are the driver's
// own: those of the blocking pool may all be waiting for it.
struct shared {
    shared(const std::string& path, const options& l)
        : limits(l),
          one_file(path == ":memory:" || l.connections <= 1),
          readers(one_file ? 0 : l.connections - 1),
          writer(1),
          // Whoever has a file has a thread, as soon as the one before him has left it.
          threads(
              {.name = "sqlite", .threads = one_file ? 1 : l.connections, .queue = l.waiting, .refuses_late = false}) {
        add(writer, path);
        for (std::size_t i = 1; !one_file && i < l.connections; ++i) add(readers, path);
    }
    void add(files& to, const std::string& path) {
        to.all.push_back(std::make_unique<file>(path, limits.wait, limits.statements));
        to.unused.push_back(to.all.back().get());
    }
    [[nodiscard]] files& for_reading() noexcept { return one_file ? writer : readers; }

    options limits;
    bool one_file;
    files readers;
    files writer;
    thread_pool threads;
    std::size_t waiting = 0;
    std::uint64_t queries = 0;
    std::uint64_t waits = 0;
    clock::duration waited{0};
};
using shared_ptr = std::shared_ptr<shared>;

// A file in use; it goes back at the end.
class hold {
public:
    hold(shared_ptr s, files& of) noexcept : shared_(std::move(s)), of_(&of), file_(of.unused.back()) {
        of.unused.pop_back();
    }
    hold(hold&& other) noexcept
        : shared_(std::move(other.shared_)), of_(other.of_), file_(std::exchange(other.file_, nullptr)) {}
    hold& operator=(hold&&) = delete;
    ~hold() {
        if (!file_) return;
        of_->unused.push_back(file_);
        of_->free.release();
    }
    [[nodiscard]] file& get() const noexcept { return *file_; }
    [[nodiscard]] shared& common() const noexcept { return *shared_; }
    [[nodiscard]] bool writes() const noexcept { return of_ == &shared_->writer; }

private:
    shared_ptr shared_;
    files* of_;
    file* file_;
};

task<void> acquire(semaphore& free) { co_await free.acquire(); }

class waiting_scope {
public:
    explicit waiting_scope(shared& s) noexcept : shared_(s) { ++shared_.waiting; }
    ~waiting_scope() {
        --shared_.waiting;
        ++shared_.waits;
        shared_.waited += clock::now() - since_;
    }
    waiting_scope(const waiting_scope&) = delete;
    waiting_scope& operator=(const waiting_scope&) = delete;

private:
    shared& shared_;
    const instant since_ = clock::now();
};

task<hold> take(shared_ptr s, files& of) {
    co_await checkpoint();
    if (of.free.try_acquire()) co_return hold(s, of);
    if (s->waiting >= s->limits.waiting)
        throw too_busy(fmt::format("{} statements wait for the database already", s->waiting), std::chrono::seconds(1));
    const waiting_scope counted(*s);
    bool late = false;
    try {
        co_await with_timeout(s->limits.wait, acquire(of.free));
    } catch (const timed_out&) {
        late = true;
    }
    if (late)
        throw too_busy(fmt::format("the SQLite file was not free within {} ms: shorten the transactions that hold it",
                                   s->limits.wait.count()),
                       std::chrono::seconds(1));
    co_return hold(s, of);
}

// Stops a file when the context is cancelled.
class stopper final : public cancel_callback {
public:
    stopper(file& f, context* in) noexcept
        : cancel_callback(
              [](cancel_callback& self, cancel_reason) noexcept { static_cast<stopper&>(self).file_.stop(); }),
          file_(f) {
        if (in) in->cancel.add(*this);
    }
    ~stopper() { file_.go_on(); }

private:
    file& file_;
};

// Runs `f(file)` on a thread; what ends because of a cancellation ends as cancelled.
template <class F>
task<std::invoke_result_t<F&, file&>> on_thread(hold& h, F f) {
    context* in = co_await this_context();
    file& on = h.get();
    stopper stops(on, in);
    auto job = [&f, &on] { return f(on); };
    try {
        co_return co_await h.common().threads.run(job);
    } catch (const statement_ended&) {
        if (!on.stopped()) throw;
    }
    if (!in || !in->cancel.requested()) throw connection_lost("the database object was closed");
    throw cancelled{in->cancel.reason()};
}

// Gives a file back that something may be open on.
class cleaning final : thread_pool::job, posted {
public:
    cleaning(hold h, event_loop& loop) noexcept : hold_(std::move(h)), loop_(loop) {}
    static void start(hold h) noexcept {
        auto self = std::make_unique<cleaning>(std::move(h), event_loop::current());
        try {
            self->hold_.common().threads.submit(*self);
            [[maybe_unused]] auto* its_own = self.release();
        } catch (const std::exception&) {
            self->hold_.get().clean_up();  // the queue is full: better here than not at all
        }
    }

private:
    void run_on_thread() noexcept override {
        hold_.get().clean_up();
        loop_.post(static_cast<posted&>(*this));
    }
    void run_on_loop() noexcept override { delete this; }

    hold hold_;
    event_loop& loop_;
};

[[noreturn]] void refuse(const char* what) { throw error(fmt::format("SQLite has no {}", what)); }

void refuse_left_open(file& f, std::string_view sql) {
    if (!f.in_transaction()) return;
    f.clean_up();
    throw error("the statement left a transaction open, which was rolled back: use transaction()", {},
                std::string(sql));
}

// A statement for itself: what it would leave open would hold everything that others write.
result run_alone(file& f, const statement& s, const parameters& p) {
    result r = f.run(s, p);
    refuse_left_open(f, s.text());
    return r;
}

// Within transaction(): what ends it would let the rest of it be written for good at once.
void refuse_ended(const file& f, bool begun, std::string_view sql) {
    if (begun && !f.in_transaction())
        throw error("the statement ended the transaction: leave COMMIT and ROLLBACK to transaction()", {},
                    std::string(sql));
}

class file_session final : public session {
public:
    explicit file_session(hold h) noexcept : hold_(std::move(h)) {}
    ~file_session() override { cleaning::start(std::move(hold_)); }

    task<result> query(statement s, parameters p) override {
        ++hold_.common().queries;
        auto job = [&](file& f) {
            result r = f.run(s, p);
            refuse_ended(f, begun_, s.text());
            return r;
        };
        co_return co_await on_thread(hold_, job);
    }
    task<void> begin(transaction_options) override {
        co_await plain(hold_.writes() ? "begin immediate" : "begin");
        begun_ = true;
    }
    task<void> commit() override {
        co_await plain("commit");
        begun_ = false;
    }
    task<void> rollback() override {
        co_await plain("rollback");
        begun_ = false;
    }
    task<void> script(std::string_view sql) override {
        const std::string text(sql);
        auto job = [&](file& f) {
            f.script(text);
            refuse_ended(f, begun_, text);
            if (!begun_) refuse_left_open(f, text);
        };
        co_await on_thread(hold_, job);
    }
    task<void> start_rows(statement s, parameters p) override {
        values_ = std::move(p);
        ++hold_.common().queries;
        auto job = [&](file& f) { f.start(s, values_); };
        co_await on_thread(hold_, job);
    }
    task<result> next_rows() override {
        auto job = [](file& f) { return f.next(rows_at_once); };
        co_return co_await on_thread(hold_, job);
    }
    task<void> start_copy(statement) override { refuse("COPY: insert within one transaction, which is as fast"); }
    task<void> write_copy(std::string_view) override { refuse("COPY"); }
    task<std::uint64_t> end_copy() override { refuse("COPY"); }
    task<std::optional<std::string>> read_copy() override { refuse("COPY: use stream()"); }
    task<notification> next_notification() override { refuse("NOTIFY: use channels"); }

private:
    task<void> plain(const char* sql) {
        auto job = [sql](file& f) { f.run(sql); };
        co_await on_thread(hold_, job);
    }

    hold hold_;
    bool begun_ = false;
    parameters values_;  // of the rows being read: bound, not copied
};

// What begins like this may be done by a connection for reading; it looks itself.
bool seems_to_read(std::string_view sql) noexcept {
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
    file_driver(const std::string& path, const options& limits) : shared_(std::make_shared<shared>(path, limits)) {}
    // The loop that the threads report to may be about to end.
    ~file_driver() override {
        for (files* of : {&shared_->writer, &shared_->readers})
            for (auto& f : of->all) f->stop();
        while (shared_->threads.running() + shared_->threads.waiting() > 0)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }

    task<void> open() override {
        hold h = co_await take(shared_, shared_->writer);
        auto job = [](file& f) { f.open(); };
        co_await on_thread(h, job);
    }
    task<result> query(statement s, parameters p) override {
        const shared_ptr kept = shared_;
        ++kept->queries;
        if (seems_to_read(s.text())) {
            hold h = co_await take(kept, kept->for_reading());
            auto job = [&](file& f) -> std::optional<result> {
                if (!f.only_reads(s) && !kept->one_file) return std::nullopt;
                return run_alone(f, s, p);
            };
            std::optional<result> read = co_await on_thread(h, job);
            if (read) co_return std::move(*read);
        }
        hold h = co_await take(kept, kept->writer);
        auto job = [&](file& f) { return run_alone(f, s, p); };
        co_return co_await on_thread(h, job);
    }
    task<std::unique_ptr<session>> lend(bool writes) override {
        hold h = co_await take(shared_, writes ? shared_->writer : shared_->for_reading());
        co_return std::make_unique<file_session>(std::move(h));
    }
    task<std::unique_ptr<session>> extra() override { return lend(true); }
    status now() const noexcept override {
        status s;
        s.connections = shared_->writer.all.size() + shared_->readers.all.size();
        s.idle = shared_->writer.unused.size() + shared_->readers.unused.size();
        s.running = shared_->threads.running();
        s.waiting = shared_->waiting;
        s.queries = shared_->queries;
        s.waits = shared_->waits;
        s.waited = shared_->waited;
        return s;
    }

private:
    shared_ptr shared_;
};

}  // namespace

std::unique_ptr<driver> make_driver(const std::string& path, const options& limits) {
    return std::make_unique<file_driver>(path, limits);
}

}  // namespace rondo::db::sqlite
