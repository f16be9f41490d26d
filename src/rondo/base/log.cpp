// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/log.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/async.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <rondo/base/log_text.hpp>
#include <rondo/base/thread.hpp>
#include <rondo/base/unique_fd.hpp>

namespace rondo::log {

namespace {

unique_fd open_log(const std::string& path) {
    unique_fd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
    if (!fd) throw std::system_error(errno, std::generic_category(), "cannot open the log file '" + path + "'");
    return fd;
}

// spdlog would try for a while, and throw what nobody expects.
void check_log(const std::string& path) {
    if (path != "-") open_log(path);
}

}  // namespace

// One thread per file takes whole batches, so that no caller ever waits for the disk.
struct line_writer::state {
    explicit state(std::string p, int standard) : path(std::move(p)), standard_fd(standard) {
        open();
        thread = named_thread("rondo-log", [this] { serve(); });
    }
    ~state() {
        {
            std::lock_guard lock(mutex);
            ending = true;
        }
        wake.notify_all();
        thread.join();
    }

    // The thread takes the new file when it is not writing to the old one.
    void open() {
        if (path == "-") return;
        unique_fd opened = open_log(path);
        std::lock_guard lock(mutex);
        fresh = std::move(opened);
    }

    void push(std::string_view line) {
        std::lock_guard lock(mutex);
        if (lines >= most_lines) {
            ++dropped;
            return;
        }
        bool first = batch.empty();
        batch += line;
        batch += '\n';
        ++lines;
        if (first) wake.notify_one();
    }

    // Lines that come within a few milliseconds go to the file together: a thread woken for each would cost more than
    // the line.
    void serve() noexcept {
        std::string writing;
        std::unique_lock lock(mutex);
        for (;;) {
            wake.wait(lock, [this] { return ending || !batch.empty(); });
            if (batch.empty()) return report(true);
            wake.wait_for(lock, gather, [this] { return ending || hurry > 0; });
            if (fresh) file = std::move(fresh);
            writing.swap(batch);
            lines = 0;
            busy = true;
            int fd = file ? file.value() : standard_fd;
            lock.unlock();
            write_all(fd, writing);
            writing.clear();
            report(false);
            lock.lock();
            busy = false;
            idle.notify_all();
        }
    }

    // A full disk or a closed pipe loses lines, not the server. When room is found again, a line that was cut off is
    // ended first.
    void write_all(int fd, std::string_view text) noexcept {
        if (torn && ::write(fd, "\n", 1) == 1) torn = false;
        while (!text.empty()) {
            ssize_t n = ::write(fd, text.data(), text.size());
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && errno == EAGAIN) {  // a pipe that somebody made non-blocking
                pollfd room{.fd = fd, .events = POLLOUT, .revents = 0};
                ::poll(&room, 1, -1);
                continue;
            }
            if (n <= 0) {
                dropped += static_cast<unsigned long>(std::count(text.begin(), text.end(), '\n'));
                return;
            }
            torn = text[static_cast<std::size_t>(n) - 1] != '\n';
            text.remove_prefix(static_cast<std::size_t>(n));
        }
    }

    // Once in ten seconds at most, so that a full disk is not filled with the news of it.
    void report(bool last) noexcept {
        const unsigned long lost = dropped;
        const auto now = std::chrono::steady_clock::now();
        if (lost == reported || (now < report_again && !last)) return;
        try {
            warning(fmt::format("{} lines of {} were lost, {} since the start: the disk is full or too slow",
                                lost - reported, path == "-" ? "standard output" : "'" + path + "'", lost));
        } catch (...) {
            return;
        }
        reported = lost;
        report_again = now + std::chrono::seconds(10);
    }

    static constexpr std::size_t most_lines = 8192;
    static constexpr auto gather = std::chrono::milliseconds(5);
    std::string path;
    int standard_fd;
    unique_fd file;
    unique_fd fresh;
    std::mutex mutex;
    std::condition_variable wake;
    std::condition_variable idle;
    std::string batch;
    std::size_t lines = 0;
    std::atomic<unsigned long> dropped{0};
    int hurry = 0;  // how many wait in flush()
    bool ending = false;
    bool busy = false;
    // Of the thread alone.
    bool torn = false;  // the file ends within a line
    unsigned long reported = 0;
    std::chrono::steady_clock::time_point report_again{};
    named_thread thread;
};

line_writer::line_writer(const std::string& path) : state_(new state(path, STDOUT_FILENO)) {}
line_writer::~line_writer() { delete state_; }

void line_writer::write(std::string_view line) noexcept {
    try {
        state_->push(line);
    } catch (...) {
        ++state_->dropped;
    }
}

unsigned long line_writer::dropped() const noexcept { return state_->dropped; }

void line_writer::reopen() { state_->open(); }

void line_writer::flush() noexcept {
    std::unique_lock lock(state_->mutex);
    ++state_->hurry;
    state_->wake.notify_all();
    state_->idle.wait(lock, [this] { return state_->batch.empty() && !state_->busy; });
    --state_->hurry;
}

namespace {

std::string_view name_of(level l) {
    switch (l) {
        case level::debug: return "debug";
        case level::info: return "info";
        case level::warning: return "warning";
        case level::error: return "error";
        case level::off: return "off";
    }
    return "";
}

spdlog::level::level_enum level_of(level l) {
    switch (l) {
        case level::debug: return spdlog::level::debug;
        case level::info: return spdlog::level::info;
        case level::warning: return spdlog::level::warn;
        case level::error: return spdlog::level::err;
        case level::off: break;
    }
    return spdlog::level::off;
}

constexpr std::size_t queued_messages = 8192;

// Programs that are started must not inherit the file.
spdlog::file_event_handlers keep_from_children() {
    spdlog::file_event_handlers handlers;
    handlers.after_open = [](const spdlog::filename_t&, std::FILE* f) { fcntl(fileno(f), F_SETFD, FD_CLOEXEC); };
    return handlers;
}

// The error log: spdlog writes on its own thread and drops the oldest lines rather than making anybody wait.
struct error_log {
    std::mutex mutex;
    std::string path = "-";
    std::string process;
    bool json = false;
    bool on_calling_thread = false;
    std::shared_ptr<spdlog::details::thread_pool> writer;
    std::shared_ptr<spdlog::logger> logger;
    std::atomic<level> lowest{level::info};

    void open() {
        spdlog::sink_ptr sink;
        if (path == "-") sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        else sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, false, keep_from_children());
        sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern(), spdlog::pattern_time_type::utc));
        logger = on_calling_thread ? std::make_shared<spdlog::logger>("rondo", sink) : with_thread(sink);
        logger->set_level(spdlog::level::debug);
        logger->flush_on(spdlog::level::debug);
    }

    std::shared_ptr<spdlog::logger> with_thread(const spdlog::sink_ptr& sink) {
        writer = std::make_shared<spdlog::details::thread_pool>(queued_messages, 1, [] {
            pthread_setname_np(pthread_self(), "rondo-log");
            sigset_t all;
            sigfillset(&all);
            pthread_sigmask(SIG_SETMASK, &all, nullptr);
        });
        return std::make_shared<spdlog::async_logger>("rondo", sink, writer,
                                                      spdlog::async_overflow_policy::overrun_oldest);
    }

    [[nodiscard]] std::string pattern() const {
        std::string shown;  // a percent sign would be an order to the formatter
        for (char c : process) shown += c == '%' ? std::string("%%") : std::string(1, c);
        if (!json) return "%Y-%m-%dT%H:%M:%S.%eZ [%P" + (shown.empty() ? "" : " " + shown) + "] %-7l %v";
        return R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","worker":")" + json_escaped(shown) +
               R"(","pid":%P,"message":"%v"})";
    }

    // Ends the thread, which works off its queue before. The next line starts another.
    void close() noexcept {
        writer.reset();
        logger.reset();
    }

    // Under the lock, so that no line is queued for a thread that is ending.
    void write(level l, std::string_view text) {
        std::lock_guard lock(mutex);
        if (!logger) open();
        logger->log(level_of(l), "{}", json ? json_escaped(text) : escaped(text));
    }
};

// Never destroyed: whatever is destroyed after it may still have something to say.
error_log& errors() {
    static error_log& log = *[] {
        std::atexit(flush);
        return new error_log;
    }();
    return log;
}

}  // namespace

void write(level l, std::string_view text) noexcept {
    if (!enabled(l)) return;
    try {
        errors().write(l, text);
    } catch (...) {
        // Nobody is left to tell.
    }
}

void threshold(level l) noexcept { errors().lowest = l; }
bool enabled(level l) noexcept { return l >= errors().lowest.load(std::memory_order_relaxed) && l != level::off; }

level parse_level(std::string_view name) {
    for (level l : {level::debug, level::info, level::warning, level::error, level::off})
        if (name == name_of(l)) return l;
    throw std::invalid_argument("'" + std::string(name) + "' is no log level: use debug, info, warning, error or off");
}

void process_name(const std::string& name) {
    std::lock_guard lock(errors().mutex);
    errors().close();
    errors().process = name;
}

void on_calling_thread(bool on) noexcept {
    std::lock_guard lock(errors().mutex);
    errors().close();
    errors().on_calling_thread = on;
}

void to(const std::string& path) {
    check_log(path);
    std::lock_guard lock(errors().mutex);
    errors().close();
    errors().path = path;
}

void format(bool json) {
    std::lock_guard lock(errors().mutex);
    errors().close();
    errors().json = json;
}

void reopen() {
    std::lock_guard lock(errors().mutex);
    if (!errors().logger) return;
    check_log(errors().path);
    errors().close();
}

void flush() noexcept {
    std::lock_guard lock(errors().mutex);
    errors().close();
}

}  // namespace rondo::log
