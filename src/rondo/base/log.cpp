// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/log.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rondo/base/log_escape.hpp>
#include <rondo/base/log_output.hpp>
#include <rondo/base/log_queue.hpp>
#include <rondo/base/trusted_path.hpp>
#include <rondo/base/unique_fd.hpp>

namespace rondo::log {

namespace {

constexpr std::chrono::milliseconds usual_patience{1000};

unique_fd open_log(const std::string& path) {
    const file_place file = place_of_file(path);
    // A user who may write to the directory could redirect root to any file by a link.
    const bool careful = geteuid() == 0 && !is_system_path(path);
    unique_fd fd(::openat(file.folder.value(), file.name.c_str(),
                          O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | (careful ? O_NOFOLLOW : 0), 0640));
    if (!fd) throw std::system_error(errno, std::generic_category(), "cannot open the log file '" + path + "'");
    struct stat status{};
    if (careful && !fstat(fd.value(), &status) && S_ISREG(status.st_mode) && status.st_nlink > 1)
        throw std::system_error(EMLINK, std::generic_category(), "cannot open the log file '" + path + "'");
    return fd;
}

output open_output(const std::string& path, int standard) {
    return path == "-" ? output::standard(standard) : output(open_log(path));
}

std::string losses(const std::string& file, unsigned long lost, unsigned long total) {
    return fmt::format(
        "{} lines of {} were lost, {} since the start: disk full, output not read, or file cannot be opened", lost,
        file, total);
}

}  // namespace

struct line_writer::state {
    state(std::string p, opening o)
        : path(std::move(p)),
          queue(open(o), line_queue::writer::own_thread, [this](unsigned long lost, unsigned long total) {
              warning(losses(path == "-" ? "standard output" : "'" + path + "'", lost, total));
              return std::string();
          }) {}

    [[nodiscard]] output open(opening o) const try {
        return open_output(path, STDOUT_FILENO);
    } catch (const std::system_error& e) {
        if (o == opening::required) throw;
        error(fmt::format("{}; lines of this log are lost until USR1 reopens the file", e.what()));
        return output::none();
    }

    std::string path;
    line_queue queue;
};

line_writer::line_writer(const std::string& path, opening o) : state_(new state(path, o)) {}
line_writer::~line_writer() { delete state_; }
void line_writer::write(std::string_view line) noexcept { state_->queue.push(line); }
unsigned long line_writer::dropped() const noexcept { return state_->queue.dropped(); }
void line_writer::reopen() {
    if (state_->path != "-") state_->queue.change(state_->open(opening::required));
}
void line_writer::flush() noexcept { state_->queue.flush(usual_patience); }

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

std::string time_of_line() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
    const auto fraction = std::chrono::duration_cast<std::chrono::milliseconds>(now - std::chrono::seconds(seconds));
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    return fmt::format("{}.{:03}Z", text, fraction.count());
}

// Formats the lines of the error log.
struct line_format {
    std::string process;
    bool json = false;

    [[nodiscard]] std::string line(level l, std::string_view text) const {
        if (json)
            return fmt::format(R"({{"time":"{}","level":"{}","worker":"{}","pid":{},"message":"{}"}})", time_of_line(),
                               name_of(l), json_escaped(process), getpid(), json_escaped(text));
        return fmt::format("{} [{}{}{}] {:7} {}", time_of_line(), getpid(), process.empty() ? "" : " ", process,
                           name_of(l), escaped(text));
    }
};

struct error_log {
    std::mutex mutex;
    std::string path = "-";
    line_format format;
    bool on_calling_thread = false;
    std::shared_ptr<line_queue> queue;
    unsigned long lost_before = 0;  // by closed queues, and by queues that could not be created
    std::atomic<level> lowest{level::info};

    [[nodiscard]] output open() const { return open_output(path, STDERR_FILENO); }

    // Reports of lost lines bypass write(), which may be running with the lock held.
    void begin() {
        auto report = [f = format, file = path == "-" ? "standard error" : "'" + path + "'"](auto lost, auto total) {
            return f.line(level::warning, losses(file, lost, total)) + "\n";
        };
        const auto mode = on_calling_thread ? line_queue::writer::caller : line_queue::writer::own_thread;
        std::string failure;
        output target = open_or_standard(failure);
        queue = std::make_shared<line_queue>(std::move(target), mode, std::move(report));
        if (!failure.empty()) queue->push(format.line(level::error, failure));
    }

    // A process that cannot open the log, as after a rotation, must not be silent.
    [[nodiscard]] output open_or_standard(std::string& failure) const try {
        return open();
    } catch (const std::system_error& e) {
        failure = fmt::format("{}; lines of this log go to standard error until USR1 reopens the file", e.what());
        return output::standard(STDERR_FILENO);
    }

    // Writes what is queued, as far as possible without blocking. The next line opens a new queue.
    void close() noexcept {
        if (!queue) return;
        if (!queue->of_parent()) {
            queue->flush(usual_patience);
            lost_before += queue->dropped();
        }
        queue.reset();
    }

    // Pushes under the lock, so that no line goes to a queue that is being closed.
    void write(level l, std::string_view text) {
        const std::lock_guard lock(mutex);
        try {
            if (queue && queue->of_parent()) close();
            if (!queue) begin();
            queue->push(format.line(l, text));
        } catch (...) {
            ++lost_before;
            throw;
        }
    }

    [[nodiscard]] std::shared_ptr<line_queue> current() {
        const std::lock_guard lock(mutex);
        return queue;
    }
};

void flush_at_exit() { flush(); }

// Never destroyed: destructors that run later may still log.
error_log& errors() {
    static error_log& log = *[] {
        std::atexit(flush_at_exit);
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
        // There is no other place to report it.
    }
}

void threshold(level l) noexcept { errors().lowest = l; }
bool enabled(level l) noexcept { return l >= errors().lowest.load(std::memory_order_relaxed) && l != level::off; }

void process_name(const std::string& name) {
    const std::lock_guard lock(errors().mutex);
    errors().close();
    errors().format.process = name;
}

void on_calling_thread(bool on) noexcept {
    const std::lock_guard lock(errors().mutex);
    errors().close();
    errors().on_calling_thread = on;
}

void to(const std::string& path) {
    prepare_standard_outputs();
    static_cast<void>(open_output(path, STDERR_FILENO));
    const std::lock_guard lock(errors().mutex);
    errors().close();
    errors().path = path;
}

void make_file(const std::string& path) { static_cast<void>(open_log(path)); }

void format(bool json) {
    const std::lock_guard lock(errors().mutex);
    errors().close();
    errors().format.json = json;
}

void reopen() {
    const std::lock_guard lock(errors().mutex);
    if (errors().queue && errors().queue->of_parent()) errors().close();
    if (errors().queue && errors().path != "-") errors().queue->change(errors().open());
}

unsigned long lost() noexcept {
    const std::lock_guard lock(errors().mutex);
    return errors().lost_before + (errors().queue ? errors().queue->dropped() : 0);
}

void flush(std::chrono::milliseconds timeout) noexcept {
    if (const std::shared_ptr<line_queue> queue = errors().current()) queue->flush(timeout);
}

void say(std::string_view text) noexcept {
    try {
        line_queue queue(output::standard(STDERR_FILENO), line_queue::writer::caller,
                         [](auto, auto) { return std::string(); });
        queue.push(text);
    } catch (...) {
        // There is no other place to report it.
    }
}

}  // namespace rondo::log
