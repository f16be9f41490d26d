// SPDX-License-Identifier: Apache-2.0
#include <rondo/python/python_served.hpp>

#include <csignal>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/base/thread.hpp>
#include <rondo/cli/settings/typed_rows.hpp>
#include <rondo/cli/start_failed.hpp>
#include <rondo/codec/size_and_duration.hpp>
#include <rondo/python/runtime.hpp>
#include <rondo/server/server.hpp>

namespace rondo::python {

using namespace std::chrono_literals;

namespace {

python_served* instance = nullptr;

constexpr auto min_end_time = 1s;

// Threads that the application starts must not take the signals of the arbiter, which reads them from a queue.
class arbiter_signals_blocked {
public:
    arbiter_signals_blocked() noexcept {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~arbiter_signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    arbiter_signals_blocked(const arbiter_signals_blocked&) = delete;
    arbiter_signals_blocked& operator=(const arbiter_signals_blocked&) = delete;

private:
    sigset_t before_{};
};

}  // namespace

python_served::stream_timer::stream_timer(python_served& owner) noexcept
    : timer([](timer& self) noexcept { static_cast<stream_timer&>(self).owner_.asgi().end_streams(); }),
      owner_(owner) {}

python_served::python_served() : worker_(checked(PyImport_ImportModule("rondo._worker"))), stream_timer_(*this) {
    instance = this;
}

python_served::~python_served() { instance = nullptr; }

void python_served::end() noexcept {
    if (released_ != nullptr) PyEval_RestoreThread(std::exchange(released_, nullptr));
    gil_.acquire();
}

void python_served::after_foreign_fork() noexcept {
    if (instance == nullptr || instance->server_ == nullptr) return;
    std::exchange(instance->server_, nullptr)->abandon_after_fork();
    instance->loop_->abandon_after_fork();
    for (int fd : instance->listening_sockets_) close(fd);
}

std::string_view python_served::description() const {
    return "Serves a Python application. APP is MODULE:ATTRIBUTE, for example mysite.asgi:application; serve is the\n"
           "default command.";
}

std::string python_served::missing_argument_text() const {
    return "missing APP: expected MODULE:ATTRIBUTE, for example: rondo mysite.asgi:application";
}

std::vector<cli::setting_row> python_served::setting_rows() {
    using s = cli::server_settings&;
    std::vector<cli::setting_row> rows;
    rows.push_back(cli::text_row("root-path", "PATH",
                                 "path under which a proxy serves the application: root_path of the ASGI scope",
                                 [this](s) -> auto& { return options_.root_path; }));
    rows.push_back(cli::choice_row<std::string>(
        "lifespan", "lifespan events of ASGI; auto: unless the application raises an exception for them",
        [this](s) -> auto& { return options_.lifespan; }, {{"auto", "auto"}, {"on", "on"}, {"off", "off"}}));
    rows.push_back(cli::choice_row<loop_kind>(
        "loop", "event loop of the application; uvloop must be installed, and uses the epoll backend",
        [this](s) -> auto& { return loop_kind_; }, {{"asyncio", loop_kind::asyncio}, {"uvloop", loop_kind::uvloop}}));
    rows.push_back(cli::on_off_row("preload",
                                   "import the application before the workers are forked: they share its memory",
                                   [this](s) -> auto& { return preload_; }));
    rows.push_back(cli::duration_row("switch-interval",
                                     "time after which a Python thread gives the GIL to another that waits for it",
                                     [this](s) -> auto& { return switch_interval_; }));
    for (cli::setting_row& row : rows) row.group = "Python";
    return rows;
}

// The limits of C++ applications would refuse uploads and long polls that Python applications expect to work.
cli::setting_source python_served::default_values(std::span<const cli::setting_row> rows) {
    cli::setting_source source;
    const auto set = [&](std::string_view name, std::string_view value) {
        for (const cli::setting_row& row : rows)
            if (row.name == name) source.add(row, value, std::string(name), "default for Python");
    };
    set("request-timeout", "0");
    set("max-body", codec::size_text(std::uint64_t{1} << 48));
    return source;
}

void python_served::configure(cli::server_settings& settings) {
    options_.boot_timeout = settings.boot_timeout;
    if (loop_kind_ != loop_kind::uvloop) return;
    if (settings.backend == backend_kind::io_uring)
        throw std::invalid_argument("loop: uvloop works with the epoll backend only; expected --backend epoll");
    settings.backend = backend_kind::epoll;
}

void python_served::check(const cli::server_settings&, std::vector<std::string>& errors) {
    try {
        (void)call_function(worker_, "load", text(options_.application).get());
    } catch (const error_set&) {
        errors.push_back(start_error_text());
    }
}

void python_served::prepare_to_serve(const cli::server_settings& settings) {
    if (settings.kind != cli::worker_class::async)
        throw cli::start_failed("worker-class: an ASGI application needs async workers; expected --worker-class async");
}

std::string python_served::summary() const { return fmt::format("{} can be imported", options_.application); }

std::string python_served::views_text(const cli::server_settings&) const {
    const std::string_view all = Py_GetVersion();
    return fmt::format("app      {} (ASGI, Python {}, {})", options_.application, all.substr(0, all.find(' ')),
                       loop_kind_ == loop_kind::uvloop ? "uvloop" : "asyncio");
}

void python_served::preload() {
    const arbiter_signals_blocked blocked;
    try {
        const object report = call_function(worker_, "preload", text(options_.application).get());
        if (report.get() != Py_None) log::warning(view_of_text(report.get()));
    } catch (const error_set&) {
        throw cli::start_failed(start_error_text());
    }
}

void python_served::on_arbiter_start(bool) {
    if (preload_) preload();
    released_ = PyEval_SaveThread();
}

void python_served::before_fork() noexcept {
    PyEval_RestoreThread(std::exchange(released_, nullptr));
    PyOS_BeforeFork();
}
void python_served::after_fork_in_parent() noexcept {
    PyOS_AfterFork_Parent();
    released_ = PyEval_SaveThread();
}
void python_served::after_fork_in_child() noexcept { PyOS_AfterFork_Child(); }

asgi_application& python_served::asgi() {
    if (!application_) application_.emplace(options_, gil_, worker_);
    return *application_;
}

handler::application& python_served::application() { return asgi(); }
void python_served::set_access_log(access_log_sink* sink) { asgi().set_access_log(sink); }
task<void> python_served::stop_background() { return asgi().stop_background(background_deadline_); }
std::size_t python_served::running() const noexcept { return application_ ? application_->running() : 0; }

int python_served::run(event_loop& loop, task<int> lifecycle) {
    loop_ = &loop;
    std::optional<int> result;
    std::string failure;
    try {
        runtime::get().load_asyncio();
        stacks_.emplace(gil_);
        loop_driver driver(loop, gil_, &asgi(), std::move(lifecycle));
        const char* const kind = loop_kind_ == loop_kind::uvloop ? "uvloop" : "asyncio";
        const double interval = std::chrono::duration<double>(switch_interval_).count();
        const object arguments = checked(Py_BuildValue("(Osd)", driver.python_object(), kind, interval));
        object status;
        try {
            status = call_function(worker_, "run", arguments.get());
        } catch (const error_set&) {
            failure = start_error_text();
        }
        result = driver.result();
        if (!result && status) result = static_cast<int>(PyLong_AsLong(status.get()));
    } catch (const error_set&) {
        failure = exception_text();
    }
    server_ = nullptr;
    if (!failure.empty()) log::error(failure);
    return result.value_or(1);
}

void python_served::on_server_start(server::server& s) {
    server_ = &s;
    gil_wait_before_ = s.server_stats().gil_wait_ns.load();
}
void python_served::on_server_end() { server_ = nullptr; }

void python_served::on_drain(instant end_of_grace) {
    asgi().set_end_of_grace(end_of_grace);
    const instant now = clock::now();
    loop_->timers().arm(stream_timer_, now + (end_of_grace - now) / 2);
}

void python_served::set_background_deadline(instant deadline) { background_deadline_ = deadline; }

void python_served::sample(stats::worker_stats& s) {
    store_relaxed(s.gil_wait_ns, gil_wait_before_ + gil_.waited_ns());
}

std::string python_served::stacks() { return stacks_ ? stacks_->text() : std::string(); }

std::string python_served::loop_stack() { return stacks_ ? stacks_->loop_stack() : std::string(); }

void python_served::end_process(instant deadline) noexcept {
    end();
    application_.reset();
    const instant last = std::max(deadline, clock::now() + min_end_time);
    named_thread("rondo-end", [last] {
        std::this_thread::sleep_until(last);
        log::warning("exiting although functions of atexit or threads of the application still run");
        log::flush();
        _exit(1);
    }).detach();
    try {
        (void)call_function(worker_, "end_process", deadline > clock::now() ? Py_True : Py_False);
    } catch (const error_set&) {
        log::error(exception_text());
    }
}

}  // namespace rondo::python
