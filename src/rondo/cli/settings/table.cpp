// SPDX-License-Identifier: Apache-2.0
// The table of settings, in the order of --help and the reference page.
#include <algorithm>
#include <cctype>
#include <limits>

#include <rondo/cli/settings/special_rows.hpp>
#include <rondo/cli/settings/typed_rows.hpp>
#include <rondo/process/control_command.hpp>

namespace rondo::cli {

namespace {

using rows = std::vector<setting_row>;

constexpr std::uint64_t million = 1'000'000;
constexpr std::uint64_t max_size = std::uint64_t{1} << 48;

setting_row with_short_flag(char flag, setting_row row) {
    row.short_flag = flag;
    return row;
}

setting_row with_default_text(std::string text, setting_row row) {
    row.default_value = std::move(text);
    return row;
}

rows listening_rows() {
    using s = server_settings&;
    return {with_short_flag('b', bind_row()),
            fd_row(),
            count_row(
                "backlog", "connections that may wait to be accepted; capped by net.core.somaxconn",
                [](s v) -> auto& { return v.listening.backlog; }, 1, 1 << 20),
            count_row(
                "max-connections", "open connections per process; more are closed. 0: limited by file descriptors only",
                [](s v) -> auto& { return v.limits.max_connections; }, 0, 10 * million),
            mode_row("unix-mode", "permissions of unix sockets, octal", [](s v) -> auto& { return v.listening.mode; }),
            owner_row("unix-owner", "owner of unix sockets; default: the user that starts the server",
                      [](s v) -> auto& { return v.unix_owner; }),
            allow_row("forwarded-allow-ips",
                      "proxies whose Forwarded and X-Forwarded-* fields are trusted: addresses, networks, unix, *",
                      [](s v) -> auto& { return v.limits.forwarded_allow; }),
            choice_row<http::forwarded_fields>(
                "forwarded-fields", "which of these fields are used; auto: X-Forwarded-* if present, else Forwarded",
                [](s v) -> auto& { return v.limits.forwarded_fields; },
                {{"auto", http::forwarded_fields::automatic},
                 {"x-forwarded", http::forwarded_fields::x_forwarded},
                 {"forwarded", http::forwarded_fields::forwarded}}),
            on_off_row("proxy-protocol", "require a PROXY protocol header, version 1 or 2, on every connection",
                       [](s v) -> auto& { return v.limits.proxy_protocol; }),
            allow_row("proxy-allow-ips", "peers allowed to send the PROXY header; others are refused",
                      [](s v) -> auto& { return v.limits.proxy_allow; })};
}

rows worker_rows() {
    using s = server_settings&;
    return {
        with_short_flag(
            'w',
            with_default_text("one per usable CPU",
                              count_row(
                                  "workers", "worker processes; 0: serve in this process, without an arbiter",
                                  [](s v) -> auto& { return v.workers; }, 0, process::control_command::max_children))),
        with_short_flag(
            'k',
            choice_row<worker_class>(
                "worker-class",
                "async: views on the event loop or a thread; threads: one thread per "
                "request; sync: one request at a time",
                [](s v) -> auto& { return v.kind; },
                {{"async", worker_class::async}, {"threads", worker_class::threads}, {"sync", worker_class::sync}})),
        choice_row<backend_kind>(
            "backend", "event-loop backend; auto: io_uring where available, else epoll",
            [](s v) -> auto& { return v.backend; },
            {{"auto", backend_kind::automatic}, {"epoll", backend_kind::epoll}, {"io_uring", backend_kind::io_uring}}),
        count_row(
            "threads", "threads per worker for sync views, started on demand; a sync worker has 1",
            [](s v) -> auto& { return v.threads; }, 1, 10'000),
        count_row(
            "thread-queue", "requests that may wait for a thread; more get 503",
            [](s v) -> auto& { return v.thread_queue; }, 0, million),
        compute_threads_row(),
        compute_workers_row(),
        count_row(
            "compute-queue", "requests that may wait for a compute thread or process; more get 503",
            [](s v) -> auto& { return v.compute_queue; }, 0, million),
        duration_row("compute-timeout", "time limit of a job in a compute process, which is then killed; 0: none",
                     [](s v) -> auto& { return v.compute_timeout; }),
        size_row(
            "compute-memory", "memory limit of a compute process; 0: none",
            [](s v) -> auto& { return v.compute_memory; }, 0, max_size),
        duration_row("stall-threshold", "report views that block the event loop for longer; 0: never",
                     [](s v) -> auto& { return v.stall_threshold; })};
}

rows lifecycle_rows() {
    using s = server_settings&;
    return {
        with_short_flag(
            't', duration_row("timeout", "kill and replace a worker whose heartbeat stops for this long; 0: never",
                              [](s v) -> auto& { return v.timeout; })),
        duration_row("boot-timeout", "time a worker has to become ready", [](s v) -> auto& { return v.boot_timeout; }),
        duration_row("graceful-timeout", "time for requests in flight to finish when a worker stops",
                     [](s v) -> auto& { return v.graceful_timeout; }),
        count_row(
            "max-requests", "requests after which a worker is recycled; 0: never",
            [](s v) -> auto& { return v.max_requests; }, 0, std::uint64_t{1} << 53),
        count_row(
            "max-requests-jitter", "up to this many extra requests, random per worker, to spread recycling",
            [](s v) -> auto& { return v.max_requests_jitter; }, 0, std::uint64_t{1} << 53),
        size_row(
            "max-rss", "resident memory above which a worker is recycled; 0: never",
            [](s v) -> auto& { return v.max_rss; }, 0, max_size),
        duration_row("max-age", "age at which a worker is recycled; 0: never", [](s v) -> auto& { return v.max_age; }),
        with_short_flag(
            'u', user_row("user", "user that workers run as, by name or number", [](s v) -> auto& { return v.user; })),
        with_short_flag('g', group_row("group", "group that workers run as, by name or number",
                                       [](s v) -> auto& { return v.group; })),
        with_short_flag('m', umask_row()),
        with_short_flag('p', text_row("pid", "FILE", "PID file", [](s v) -> auto& { return v.pid_file; })),
        directory_row("chdir", "working directory", [](s v) -> auto& { return v.chdir; }),
        admin_row(),
        on_off_row("admin-remote", "allow an admin address that other machines can reach",
                   [](s v) -> auto& { return v.admin_remote; })};
}

rows limit_rows() {
    using s = server_settings&;
    constexpr std::uint64_t min = 64;
    constexpr std::uint64_t max = 16 << 20;
    return {
        duration_row("header-timeout", "time to receive the request head, from its first byte or from accept",
                     [](s v) -> auto& { return v.limits.header_timeout; }),
        duration_row("body-timeout", "time without progress while a request body is read",
                     [](s v) -> auto& { return v.limits.body_timeout; }),
        count_row(
            "body-rate", "minimum average bytes per second of a request body, enforced after body-timeout",
            [](s v) -> auto& { return v.limits.body_rate; }, 1, 1 << 30),
        duration_row("keepalive-timeout", "time an idle connection stays open",
                     [](s v) -> auto& { return v.limits.keepalive_timeout; }),
        duration_row("request-timeout", "time from the head, or the last body byte read, to the start of the response",
                     [](s v) -> auto& { return v.limits.request_timeout; }),
        duration_row("write-timeout", "time without progress while a response is sent",
                     [](s v) -> auto& { return v.limits.write_timeout; }),
        size_row(
            "max-body", "largest request body; routes may override", [](s v) -> auto& { return v.limits.max_body; }, 0,
            max_size),
        size_row(
            "max-request-line", "largest request line", [](s v) -> auto& { return v.limits.head_limits.request_line; },
            min, max),
        size_row(
            "max-fields-size", "largest total size of the header fields of a request",
            [](s v) -> auto& { return v.limits.head_limits.fields_bytes; }, min, max),
        count_row(
            "max-fields", "most header fields of a request", [](s v) -> auto& { return v.limits.head_limits.fields; },
            1, 10'000)};
}

rows log_rows() {
    using s = server_settings&;
    return {
        text_row("access-log", "off|-|FILE", "one line per request; -: standard output",
                 [](s v) -> auto& { return v.access_log; }),
        access_format_row(),
        text_row("error-log", "-|FILE", "server messages; -: standard error", [](s v) -> auto& { return v.error_log; }),
        choice_row<bool>("error-log-format", "text, or one JSON object per line",
                         [](s v) -> auto& { return v.error_log_json; }, {{"text", false}, {"json", true}}),
        choice_row<log::level>("log-level", "lowest level logged", [](s v) -> auto& { return v.log_level; },
                               {{"debug", log::level::debug},
                                {"info", log::level::info},
                                {"warning", log::level::warning},
                                {"error", log::level::error},
                                {"off", log::level::off}})};
}

rows data_rows() {
    using s = server_settings&;
    return {text_row("db-url", "URL", "database URL, for applications that use a database",
                     [](s v) -> auto& { return v.data.db_url; }),
            count_row(
                "db-connections", "database connections per process",
                [](s v) -> auto& { return v.data.db_connections; }, 1, 10'000),
            count_row(
                "db-statements", "prepared statements cached per connection; 0: none, for transaction poolers",
                [](s v) -> auto& { return v.data.db_statements; }, 0, 100'000),
            text_row("migrations", "DIRECTORY", "directory of SQL migrations",
                     [](s v) -> auto& { return v.data.migrations; }),
            text_row("channels-url", "URL", "channel backend URL", [](s v) -> auto& { return v.data.channels_url; }),
            text_row("cache-url", "URL", "cache backend URL", [](s v) -> auto& { return v.data.cache_url; })};
}

rows config_file_rows() {
    setting_row config = value_row(
        "config", "FILE", "configuration file; default: rondo.toml if it exists",
        [](server_settings&, const std::string&) {}, [](server_settings&) { return std::string(); });
    config.short_flag = 'c';
    config.allowed_in_file = false;
    return {std::move(config)};
}

void append(rows& to, std::string_view group, rows more) {
    for (setting_row& row : more) {
        row.group = group;
        to.push_back(std::move(row));
    }
}

rows make_rows() {
    rows result;
    append(result, "Listening", listening_rows());
    append(result, "Workers", worker_rows());
    append(result, "Process lifecycle", lifecycle_rows());
    append(result, "Limits", limit_rows());
    append(result, "Logging", log_rows());
    append(result, "Data", data_rows());
    append(result, "Configuration sources", config_file_rows());
    return result;
}

}  // namespace

const std::vector<setting_row>& framework_rows() {
    static const rows table = make_rows();
    return table;
}

}  // namespace rondo::cli
