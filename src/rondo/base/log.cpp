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

constexpr std::chrono::milliseconds flush_timeout{1000};

unique_fd open_log_file(const std::string& path) {
    const resolved_path file = resolve_trusted_path(path);
    // A user who may write to the directory could redirect root to any file by a link.
    const bool check_links = geteuid() == 0 && !is_system_path(path);
    unique_fd fd(::openat(file.directory.value(), file.name.c_str(),
                          O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | (check_links ? O_NOFOLLOW : 0),
                          0640));
    if (!fd) throw std::system_error(errno, std::generic_category(), "cannot open the log file '" + path + "'");
    struct stat status{};
    if (check_links && !fstat(fd.value(), &status) && S_ISREG(status.st_mode) && status.st_nlink > 1)
        throw std::system_error(EMLINK, std::generic_category(), "cannot open the log file '" + path + "'");
    return fd;
}

output open_output(const std::string& path, int standard) {
    return path == "-" ? output::standard_stream(standard) : output(open_log_file(path));
}

std::string loss_report(const std::string& file, unsigned long lost, unsigned long total) {
    return fmt::format(
        "{} lines of {} were lost, {} since the start: disk full, output not read, or file cannot be opened", lost,
        file, total);
}

}  // namespace

struct line_writer::state {
    state(std::string p, open_policy o)
        : path(std::move(p)),
          queue(open(o), line_queue::write_mode::asynchronous, [this](unsigned long lost, unsigned long total) {
              warning(loss_report(path == "-" ? "standard output" : "'" + path + "'", lost, total));
              return std::string();
          }) {}

    [[nodiscard]] output open(open_policy o) const try {
        return open_output(path, STDOUT_FILENO);
    } catch (const std::system_error& e) {
        if (o == open_policy::required) throw;
        error(fmt::format("{}; lines of this log are lost until USR1 reopens the file", e.what()));
        return output::discarding();
    }

    std::string path;
    line_queue queue;
};

line_writer::line_writer(const std::string& path, open_policy o) : state_(new state(path, o)) {}
line_writer::~line_writer() { delete state_; }
void line_writer::write(std::string_view line) noexcept { state_->queue.push(line); }
unsigned long line_writer::dropped_lines() const noexcept { return state_->queue.dropped_lines(); }
void line_writer::reopen() {
    if (state_->path != "-") state_->queue.set_output(state_->open(open_policy::required));
}
void line_writer::flush() noexcept { state_->queue.flush(flush_timeout); }

namespace {

std::string_view level_name(level l) {
    switch (l) {
        case level::debug: return "debug";
        case level::info: return "info";
        case level::warning: return "warning";
        case level::error: return "error";
        case level::off: return "off";
    }
    return "";
}

std::string timestamp() {
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

    [[nodiscard]] std::string format_line(level l, std::string_view text) const {
        if (json)
            return fmt::format(R"({{"time":"{}","level":"{}","worker":"{}","pid":{},"message":"{}"}})", timestamp(),
                               level_name(l), json_escaped(process), getpid(), json_escaped(text));
        return fmt::format("{} [{}{}{}] {:7} {}", timestamp(), getpid(), process.empty() ? "" : " ", process,
                           level_name(l), escaped(text));
    }
};

struct error_log {
    std::mutex mutex;
    std::string path = "-";
    line_format format;
    bool synchronous = false;
    std::shared_ptr<line_queue> queue;
    unsigned long lost_by_closed_queues = 0;  // by closed queues, and by queues that could not be created
    std::atomic<level> min_level{level::info};

    [[nodiscard]] output open() const { return open_output(path, STDERR_FILENO); }

    // Reports of lost lines bypass write(), which may be running with the lock held.
    void open_queue() {
        auto report = [f = format, file = path == "-" ? "standard error" : "'" + path + "'"](auto lost, auto total) {
            return f.format_line(level::warning, loss_report(file, lost, total)) + "\n";
        };
        const auto mode = synchronous ? line_queue::write_mode::synchronous : line_queue::write_mode::prompt;
        std::string failure;
        output target = open_or_standard_error(failure);
        queue = std::make_shared<line_queue>(std::move(target), mode, std::move(report));
        if (!failure.empty()) queue->push(format.format_line(level::error, failure));
    }

    // A process that cannot open the log, as after a rotation, must not be silent.
    [[nodiscard]] output open_or_standard_error(std::string& failure) const try {
        return open();
    } catch (const std::system_error& e) {
        failure = fmt::format("{}; lines of this log go to standard error until USR1 reopens the file", e.what());
        return output::standard_stream(STDERR_FILENO);
    }

    // Writes what is queued, as far as possible without blocking. The next line opens a new queue.
    void close_queue() noexcept {
        if (!queue) return;
        if (!queue->is_inherited()) {
            queue->flush(flush_timeout);
            lost_by_closed_queues += queue->dropped_lines();
        }
        queue.reset();
    }

    // Pushes under the lock, so that no line goes to a queue that is being closed.
    void write(level l, std::string_view text) {
        const std::lock_guard lock(mutex);
        try {
            if (queue && queue->is_inherited()) close_queue();
            if (!queue) open_queue();
            queue->push(format.format_line(l, text));
        } catch (...) {
            ++lost_by_closed_queues;
            throw;
        }
    }

    [[nodiscard]] std::shared_ptr<line_queue> current_queue() {
        const std::lock_guard lock(mutex);
        return queue;
    }
};

void flush_at_exit() { flush(); }

// Never destroyed: destructors that run later may still log.
error_log& error_log_instance() {
    static error_log& log = *[] {
        std::atexit(flush_at_exit);
        return new error_log;
    }();
    return log;
}

}  // namespace

void write(level l, std::string_view text) noexcept {
    if (!is_enabled(l)) return;
    try {
        error_log_instance().write(l, text);
    } catch (...) {
        // There is no other place to report it.
    }
}

void set_level(level l) noexcept { error_log_instance().min_level = l; }
bool is_enabled(level l) noexcept {
    return l >= error_log_instance().min_level.load(std::memory_order_relaxed) && l != level::off;
}

void set_process_name(const std::string& name) {
    const std::lock_guard lock(error_log_instance().mutex);
    error_log_instance().close_queue();
    error_log_instance().format.process = name;
}

void set_synchronous(bool on) noexcept {
    const std::lock_guard lock(error_log_instance().mutex);
    error_log_instance().close_queue();
    error_log_instance().synchronous = on;
}

void set_file(const std::string& path) {
    prepare_standard_streams();
    static_cast<void>(open_output(path, STDERR_FILENO));
    const std::lock_guard lock(error_log_instance().mutex);
    error_log_instance().close_queue();
    error_log_instance().path = path;
}

void create_file(const std::string& path) { static_cast<void>(open_log_file(path)); }

void set_json(bool json) {
    const std::lock_guard lock(error_log_instance().mutex);
    error_log_instance().close_queue();
    error_log_instance().format.json = json;
}

void reopen() {
    const std::lock_guard lock(error_log_instance().mutex);
    if (error_log_instance().queue && error_log_instance().queue->is_inherited()) error_log_instance().close_queue();
    if (error_log_instance().queue && error_log_instance().path != "-")
        error_log_instance().queue->set_output(error_log_instance().open());
}

unsigned long lost_lines() noexcept {
    const std::lock_guard lock(error_log_instance().mutex);
    return error_log_instance().lost_by_closed_queues +
           (error_log_instance().queue ? error_log_instance().queue->dropped_lines() : 0);
}

void flush(std::chrono::milliseconds timeout) noexcept {
    if (const std::shared_ptr<line_queue> queue = error_log_instance().current_queue()) queue->flush(timeout);
}

void print_to_standard_error(std::string_view text) noexcept {
    try {
        line_queue queue(output::standard_stream(STDERR_FILENO), line_queue::write_mode::synchronous,
                         [](auto, auto) { return std::string(); });
        queue.push(text);
    } catch (...) {
        // There is no other place to report it.
    }
}

}  // namespace rondo::log
