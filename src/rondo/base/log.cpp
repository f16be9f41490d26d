// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/log.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>

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
        thread = std::thread([this] { serve(); });
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

    void push(std::string_view line) noexcept {
        std::lock_guard lock(mutex);
        if (lines >= most_lines) {
            ++dropped;
            return;
        }
        ++lines;
        bool first = batch.empty();
        batch += line;
        batch += '\n';
        if (first) wake.notify_one();
    }

    void serve() noexcept {
        pthread_setname_np(pthread_self(), "rondo-log");
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, nullptr);
        std::string writing;
        std::unique_lock lock(mutex);
        for (;;) {
            wake.wait(lock, [this] { return ending || !batch.empty(); });
            if (batch.empty()) return;
            if (fresh) file = std::move(fresh);
            writing.swap(batch);
            lines = 0;
            busy = true;
            int fd = file ? file.value() : standard_fd;
            lock.unlock();
            write_all(fd, writing);
            writing.clear();
            lock.lock();
            busy = false;
            idle.notify_all();
        }
    }

    // A full disk or a closed pipe loses lines, not the server.
    void write_all(int fd, std::string_view text) noexcept {
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
            text.remove_prefix(static_cast<std::size_t>(n));
        }
    }

    static constexpr std::size_t most_lines = 8192;
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
    bool ending = false;
    bool busy = false;
    std::thread thread;
};

line_writer::line_writer(const std::string& path) : state_(new state(path, STDOUT_FILENO)) {}
line_writer::~line_writer() { delete state_; }

void line_writer::write(std::string_view line) noexcept {
    try {
        state_->push(std::string(line));
    } catch (...) {
        ++state_->dropped;
    }
}

unsigned long line_writer::dropped() const noexcept { return state_->dropped; }

void line_writer::reopen() { state_->open(); }

void line_writer::flush() noexcept {
    std::unique_lock lock(state_->mutex);
    state_->idle.wait(lock, [this] { return state_->batch.empty() && !state_->busy; });
}

namespace {

// Control characters would let a client forge lines or drive a terminal; the second set of them is U+0080 to U+009F.
std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    unsigned char before = 0;
    for (char c : text) {
        auto u = static_cast<unsigned char>(c);
        bool second_set = before == 0xc2 && u >= 0x80 && u < 0xa0;
        if (c == '\n') out += "\n    ";
        else if (u < 0x20 || u == 0x7f || second_set) out += fmt::format("\\x{:02x}", u);
        else out += c;
        before = u;
    }
    return out;
}

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

    [[nodiscard]] std::string pattern() const {
        return "%Y-%m-%dT%H:%M:%S.%eZ [%P" + (process.empty() ? "" : " " + process) + "] %-7l %v";
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

    // Ends the thread, which works off its queue before. The next line starts another.
    void close() noexcept {
        writer.reset();
        logger.reset();
    }

    // Under the lock, so that no line is queued for a thread that is ending.
    void write(level l, const std::string& text) {
        std::lock_guard lock(mutex);
        if (!logger) open();
        logger->log(level_of(l), "{}", text);
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
        errors().write(l, escaped(text));
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
    errors().process.clear();
    // A percent sign would be an order to the formatter.
    for (char c : name) errors().process += c == '%' ? std::string("%%") : std::string(1, c);
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
