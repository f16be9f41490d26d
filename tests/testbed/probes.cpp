// SPDX-License-Identifier: Apache-2.0
#include "probes.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/web.hpp>

namespace testbed {
namespace {

using namespace std::chrono_literals;
using rondo::request;
using rondo::response;
using rondo::task;

struct counters {
    std::atomic<int> started{0};    // views that began to wait
    std::atomic<int> finished{0};   // that came to their end
    std::atomic<int> cancelled{0};  // that were cancelled
    std::atomic<int> cleaned{0};    // whose objects were destroyed
};

// In the file that TESTBED_COUNTERS names, so that all workers count together and a test can look without asking them.
counters& made() {
    const char* name = std::getenv("TESTBED_COUNTERS");
    const int fd = name == nullptr ? -1 : open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0 && ftruncate(fd, sizeof(counters)) != 0) throw std::runtime_error("TESTBED_COUNTERS cannot be written");
    void* memory =
        mmap(nullptr, sizeof(counters), PROT_READ | PROT_WRITE, MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
    if (fd >= 0) close(fd);
    if (memory == MAP_FAILED) throw std::runtime_error("no memory for the counters");
    return *static_cast<counters*>(memory);  // zeros, or what was counted before a reload
}

counters& count() {
    static counters& all = made();
    return all;
}

// An object of a view: it must go, whatever becomes of the view.
struct visit {
    visit() { ++count().started; }
    ~visit() { ++count().cleaned; }
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;
};

std::chrono::milliseconds time_of(request& req) {
    return std::chrono::milliseconds(std::min(req.query_as<unsigned>("ms", 100), 600'000U));
}

// As long as `ms`, and as the file `while` is there: for tests that need a view to be under way.
class stay {
public:
    explicit stay(request& req) : time_(time_of(req)), file_(req.query("while").value_or("")) {}
    [[nodiscard]] bool over() const {
        return rondo::clock::now() >= began_ + time_ && (file_.empty() || access(file_.c_str(), F_OK) != 0);
    }
    task<void> wait() const {
        co_await rondo::sleep(time_);
        while (!over()) co_await rondo::sleep(5ms);
    }
    void block() const {
        std::this_thread::sleep_for(time_);
        while (!over()) std::this_thread::sleep_for(5ms);
    }

private:
    rondo::instant began_ = rondo::clock::now();
    std::chrono::milliseconds time_;
    std::string file_;
};

task<response> wait(request& req) {
    const visit here;
    const stay time(req);
    try {
        co_await time.wait();
    } catch (const rondo::cancelled&) {
        ++count().cancelled;
        throw;
    }
    ++count().finished;
    co_return rondo::text("waited\n");
}

response wait_sync(request& req) {
    const visit here;
    const stay time(req);
    while (!time.over()) {
        if (req.cancelled()) {
            ++count().cancelled;
            break;
        }
        std::this_thread::sleep_for(5ms);
    }
    ++count().finished;
    return rondo::text("waited\n");
}

// Whoever may be waiting for it.
response hold(request& req) {
    const visit here;
    stay(req).block();
    ++count().finished;
    return rondo::text("held\n");
}

task<void> wait_beside(stay time) {
    const visit here;
    try {
        co_await time.wait();
        ++count().finished;
    } catch (const rondo::cancelled&) {
        ++count().cancelled;
        throw;
    }
}

task<void> write_forever(rondo::writer& out) {
    const visit here;
    try {
        for (;;) {
            co_await out.write("tick\n");
            co_await rondo::sleep(20ms);
        }
    } catch (const rondo::cancelled&) {
        ++count().cancelled;
        throw;
    }
}

task<response> ticks(request&) { co_return rondo::stream(write_forever); }

rondo::async_generator<rondo::sse_event> numbers() {
    for (int i = 0;; ++i) {
        co_yield rondo::sse_event(std::to_string(i));
        co_await rondo::sleep(50ms);
    }
}

task<response> events(request&) { co_return rondo::sse(numbers()); }

// Blocks the loop: for the stall detector to find.
task<response> block(request& req) {
    const visit here;
    stay(req).block();
    ++count().finished;
    co_return rondo::text("blocked\n");
}

response compute(request& req) {
    const visit here;
    const stay time(req);
    unsigned long long sum = 0;
    while (!time.over())
        for (unsigned i = 0; i < 1000; ++i) sum = sum * 31 + i;
    ++count().finished;
    return rondo::text(std::to_string(sum) + "\n");
}

// So much processor time, however long that takes.
response burn(request& req) {
    const auto used = [] {
        timespec t{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
    };
    const auto end = used() + time_of(req);
    while (used() < end) {
    }
    return rondo::text("burnt\n");
}

// Answers before it reads: what happens to the body is the server's affair.
task<response> read_late(request& req) {
    co_await rondo::sleep(time_of(req));
    const std::string_view body = co_await req.read_all();
    co_return rondo::text(std::to_string(body.size()) + "\n");
}

task<response> read_nothing(request&) { co_return rondo::text("not read\n"); }

task<response> trailers(request& req) {
    (void)co_await req.read_all();
    std::string out;
    if (const auto* fields = req.body().trailers())
        for (const auto field : *fields) out.append(field.name).append("=").append(field.value).append("\n");
    co_return rondo::text(std::move(out));
}

// Fills the error log.
task<response> say(request& req) {
    const auto lines = req.query_as<unsigned>("lines", 1);
    for (unsigned i = 0; i < lines; ++i) rondo::log::warning("said " + std::to_string(i) + std::string(60, '.'));
    co_return rondo::text("said\n");
}

// The way of a program that cannot go on.
void fail() { throw std::runtime_error("given up on purpose"); }
void fail_where_nothing_may() noexcept { fail(); }
response give_up(request&) {
    fail_where_nothing_may();
    return rondo::text("never\n");
}

}  // namespace

rondo::app probes(rondo::app& in) {
    count();  // before there are workers
    rondo::app app;
    app.get("/wait", wait);
    app.any("/wait-sync", wait_sync);
    app.get("/hold", hold);
    app.get("/background", [&in](request& req) {
        in.background("beside").spawn(wait_beside(stay(req)));
        return rondo::text("begun\n");
    });
    app.get("/ticks", ticks);
    app.get("/events", events);
    app.get("/block", block);
    app.get("/compute", rondo::cpu(compute));
    app.get("/burn", burn);
    app.get("/say", say);
    app.get("/give-up", give_up);
    app.post("/read-late", read_late);
    app.post("/read-nothing", read_nothing);
    app.post("/trailers", trailers);
    return app;
}

}  // namespace testbed
