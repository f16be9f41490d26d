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
    std::atomic<int> started{0};    // views that started
    std::atomic<int> finished{0};   // views that finished
    std::atomic<int> cancelled{0};  // views that were cancelled
    std::atomic<int> cleaned{0};    // views whose objects were destroyed
};

// In the file named by TESTBED_COUNTERS, so that all workers share them and a test can read them without a request.
counters& map_counters() {
    const char* name = std::getenv("TESTBED_COUNTERS");
    const int fd = name == nullptr ? -1 : open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0 && ftruncate(fd, sizeof(counters)) != 0) throw std::runtime_error("TESTBED_COUNTERS cannot be written");
    void* memory =
        mmap(nullptr, sizeof(counters), PROT_READ | PROT_WRITE, MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
    if (fd >= 0) close(fd);
    if (memory == MAP_FAILED) throw std::runtime_error("cannot map the counters");
    return *static_cast<counters*>(memory);  // zeros, or the counts from before a reload
}

counters& count() {
    static counters& shared = map_counters();
    return shared;
}

// An object of a view: it must be destroyed however the view ends.
struct view_object {
    view_object() { ++count().started; }
    ~view_object() { ++count().cleaned; }
    view_object(const view_object&) = delete;
    view_object& operator=(const view_object&) = delete;
};

std::chrono::milliseconds time_of(request& req) {
    return std::chrono::milliseconds(std::min(req.query_as<unsigned>("ms", 100), 600'000U));
}

// Lasts for `ms` and until the file `while` is removed: for tests that need a view to be in progress.
class delay {
public:
    explicit delay(request& req) : time_(time_of(req)), file_(req.query("while").value_or("")) {}
    [[nodiscard]] bool over() const {
        return rondo::clock::now() >= start_ + time_ && (file_.empty() || access(file_.c_str(), F_OK) != 0);
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
    rondo::instant start_ = rondo::clock::now();
    std::chrono::milliseconds time_;
    std::string file_;
};

task<response> wait(request& req) {
    const view_object object;
    const delay time(req);
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
    const view_object object;
    const delay time(req);
    while (!time.over()) {
        if (req.is_cancelled()) {
            ++count().cancelled;
            break;
        }
        std::this_thread::sleep_for(5ms);
    }
    ++count().finished;
    return rondo::text("waited\n");
}

// Ignores cancellation.
response block_thread(request& req) {
    const view_object object;
    delay(req).block();
    ++count().finished;
    return rondo::text("blocked\n");
}

task<void> wait_in_background(delay time) {
    const view_object object;
    try {
        co_await time.wait();
        ++count().finished;
    } catch (const rondo::cancelled&) {
        ++count().cancelled;
        throw;
    }
}

task<void> write_forever(rondo::writer& out) {
    const view_object object;
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

// Blocks the loop, for tests of the stall detector.
task<response> block(request& req) {
    const view_object object;
    delay(req).block();
    ++count().finished;
    co_return rondo::text("blocked\n");
}

response compute(request& req) {
    const view_object object;
    const delay time(req);
    unsigned long long sum = 0;
    while (!time.over())
        for (unsigned i = 0; i < 1000; ++i) sum = sum * 31 + i;
    ++count().finished;
    return rondo::text(std::to_string(sum) + "\n");
}

// Uses `ms` of CPU time, however long that takes.
response burn(request& req) {
    const auto used = [] {
        timespec t{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
    };
    const auto end = used() + time_of(req);
    while (used() < end) {
    }
    return rondo::text("burned\n");
}

// Reads the body after a delay.
task<response> read_late(request& req) {
    co_await rondo::sleep(time_of(req));
    const std::string_view body = co_await req.read_all();
    co_return rondo::text(std::to_string(body.size()) + "\n");
}

// Responds without reading the body: the server has to deal with it.
task<response> read_nothing(request&) { co_return rondo::text("not read\n"); }

task<response> trailers(request& req) {
    (void)co_await req.read_all();
    std::string out;
    if (const auto* fields = req.body().trailers())
        for (const auto field : *fields) out.append(field.name).append("=").append(field.value).append("\n");
    co_return rondo::text(std::move(out));
}

// Fills the error log.
task<response> write_log(request& req) {
    const auto lines = req.query_as<unsigned>("lines", 1);
    for (unsigned i = 0; i < lines; ++i) rondo::log::warning("line " + std::to_string(i) + std::string(60, '.'));
    co_return rondo::text("logged\n");
}

// Calls std::terminate through an exception that leaves a noexcept function.
void fail() { throw std::runtime_error("terminated on purpose"); }
void fail_noexcept() noexcept { fail(); }
response terminate(request&) {
    fail_noexcept();
    return rondo::text("never\n");
}

}  // namespace

rondo::app probes(rondo::app& in) {
    count();  // maps them before there are workers
    rondo::app app;
    app.get("/wait", wait);
    app.any("/wait-sync", wait_sync);
    app.get("/block-thread", block_thread);
    app.get("/background", [&in](request& req) {
        in.background("waits").spawn(wait_in_background(delay(req)));
        return rondo::text("started\n");
    });
    app.get("/ticks", ticks);
    app.get("/events", events);
    app.get("/block", block);
    app.get("/compute", rondo::cpu(compute));
    app.get("/burn", burn);
    app.get("/log", write_log);
    app.get("/terminate", terminate);
    app.post("/read-late", read_late);
    app.post("/read-nothing", read_nothing);
    app.post("/trailers", trailers);
    return app;
}

}  // namespace testbed
