// SPDX-License-Identifier: Apache-2.0
// The table of settings: one line each, in the order of --help and the reference.
#include <algorithm>
#include <cctype>
#include <limits>

#include <rondo/cli/settings/parsers.hpp>
#include <rondo/cli/settings/types.hpp>
#include <rondo/process/control_command.hpp>

namespace rondo::cli {

namespace {

using rows = std::vector<setting_row>;

constexpr std::uint64_t million = 1'000'000;
constexpr std::uint64_t any_size = std::uint64_t{1} << 48;

setting_row lettered(char letter, setting_row row) {
    row.letter = letter;
    return row;
}

setting_row standing(std::string standard, setting_row row) {
    row.standard = std::move(standard);
    return row;
}

rows listening_rows() {
    using s = settings&;
    return {
        lettered('b', bind_row()),
        inherited_row(),
        count_row(
            "backlog", "connections that may wait to be accepted; the kernel's somaxconn bounds it",
            [](s v) -> auto& { return v.listening.backlog; }, 1, 1 << 20),
        count_row(
            "max-connections", "open at once in a process; more are closed at once. 0: as many as descriptors allow",
            [](s v) -> auto& { return v.limits.max_connections; }, 0, 10 * million),
        mode_row("unix-mode", "permissions of unix sockets, octal", [](s v) -> auto& { return v.listening.mode; }),
        owner_row("unix-owner", "who unix sockets belong to, instead of who starts the program",
                  [](s v) -> auto& { return v.unix_owner; }),
        allow_row("forwarded-allow-ips",
                  "proxies whose Forwarded and X-Forwarded-* fields are believed: addresses, networks, unix, *",
                  [](s v) -> auto& { return v.limits.forwarded_allow; }),
        choice_row<http::forwarded_fields>(
            "forwarded-fields", "which of their fields: auto is X-Forwarded-* when there are any, else Forwarded",
            [](s v) -> auto& { return v.limits.forwarded_fields; },
            {{"auto", http::forwarded_fields::automatic},
             {"x-forwarded", http::forwarded_fields::x_forwarded},
             {"forwarded", http::forwarded_fields::forwarded}}),
        on_off_row("proxy-protocol", "each connection must begin with a PROXY protocol header, version 1 or 2",
                   [](s v) -> auto& { return v.limits.proxy_protocol; }),
        allow_row("proxy-allow-ips", "who may send that header; connections of others are refused",
                  [](s v) -> auto& { return v.limits.proxy_allow; })};
}

rows worker_rows() {
    using s = settings&;
    return {
        lettered('w', standing("one per usable core",
                               count_row(
                                   "workers", "processes that serve; 0: this one alone, without an arbiter",
                                   [](s v) -> auto& { return v.workers; }, 0, process::order::most_children))),
        lettered(
            'k',
            choice_row<worker_class>(
                "worker-class", "where views run in a worker", [](s v) -> auto& { return v.kind; },
                {{"async", worker_class::async}, {"threads", worker_class::threads}, {"sync", worker_class::sync}})),
        choice_row<backend_kind>(
            "backend", "what the loop waits with; auto is io_uring where the kernel allows it",
            [](s v) -> auto& { return v.backend; },
            {{"auto", backend_kind::automatic}, {"epoll", backend_kind::epoll}, {"io_uring", backend_kind::io_uring}}),
        count_row(
            "threads", "threads of each worker for sync views, started when needed; a sync worker has 1",
            [](s v) -> auto& { return v.threads; }, 1, 10'000),
        count_row(
            "thread-queue", "requests that may wait for such a thread; more get 503",
            [](s v) -> auto& { return v.thread_queue; }, 0, million),
        compute_threads_row(),
        compute_workers_row(),
        count_row(
            "compute-queue", "requests that may wait for a compute thread or process; more get 503",
            [](s v) -> auto& { return v.compute_queue; }, 0, million),
        duration_row("compute-timeout", "for one job of a compute process, which is then killed; 0: none",
                     [](s v) -> auto& { return v.compute_timeout; }),
        size_row(
            "compute-memory", "memory of a compute process; 0: no limit", [](s v) -> auto& { return v.compute_memory; },
            0, any_size),
        duration_row("stall-threshold", "a view that holds the loop longer is reported; 0: never",
                     [](s v) -> auto& { return v.stall_threshold; })};
}

rows life_rows() {
    using s = settings&;
    return {
        lettered('t',
                 duration_row("timeout", "a worker without a sign of life for so long is killed and replaced; 0: never",
                              [](s v) -> auto& { return v.timeout; })),
        duration_row("boot-timeout", "for a worker to get ready", [](s v) -> auto& { return v.boot_timeout; }),
        duration_row("graceful-timeout", "for requests under way when a worker ends",
                     [](s v) -> auto& { return v.graceful_timeout; }),
        count_row(
            "max-requests", "a worker is replaced after so many; 0: never", [](s v) -> auto& { return v.max_requests; },
            0, std::uint64_t{1} << 53),
        count_row(
            "max-requests-jitter", "at most so many more, chosen at random for each worker",
            [](s v) -> auto& { return v.max_requests_jitter; }, 0, std::uint64_t{1} << 53),
        size_row(
            "max-rss", "a worker with more resident memory is replaced; 0: never",
            [](s v) -> auto& { return v.max_rss; }, 0, any_size),
        duration_row("max-age", "a worker that is older is replaced; 0: never", [](s v) -> auto& { return v.max_age; }),
        lettered('u',
                 user_row("user", "workers run as this user, a name or a number", [](s v) -> auto& { return v.user; })),
        lettered('g', group_row("group", "workers run as this group, a name or a number",
                                [](s v) -> auto& { return v.group; })),
        lettered('m', umask_row()),
        lettered('p', text_row("pid", "FILE", "where the number of the process is kept",
                               [](s v) -> auto& { return v.pid_file; })),
        folder_row("chdir", "the folder to run in", [](s v) -> auto& { return v.chdir; }),
        admin_row(),
        on_off_row("admin-remote", "the admin listener may have an address that other machines reach",
                   [](s v) -> auto& { return v.admin_remote; })};
}

rows limit_rows() {
    using s = settings&;
    constexpr std::uint64_t least = 64;
    constexpr std::uint64_t most = 16 << 20;
    return {
        duration_row("header-timeout", "for a request head, from its first byte or from the accept",
                     [](s v) -> auto& { return v.limits.header_timeout; }),
        duration_row("body-timeout", "without a byte of a body that is being read",
                     [](s v) -> auto& { return v.limits.body_timeout; }),
        count_row(
            "body-rate", "bytes per second that a body must bring on average, after body-timeout",
            [](s v) -> auto& { return v.limits.body_rate; }, 1, 1 << 30),
        duration_row("keepalive-timeout", "for an idle connection",
                     [](s v) -> auto& { return v.limits.keepalive_timeout; }),
        duration_row("request-timeout", "from the head, or the last byte read of the body, until the response begins",
                     [](s v) -> auto& { return v.limits.request_timeout; }),
        duration_row("write-timeout", "for a client that takes no byte of a response",
                     [](s v) -> auto& { return v.limits.write_timeout; }),
        size_row(
            "max-body", "of a request, unless its route says otherwise", [](s v) -> auto& { return v.limits.max_body; },
            0, any_size),
        size_row(
            "max-request-line", "of a request", [](s v) -> auto& { return v.limits.head.request_line; }, least, most),
        size_row(
            "max-fields-size", "all fields of a head together", [](s v) -> auto& { return v.limits.head.fields_bytes; },
            least, most),
        count_row("max-fields", "fields of a head", [](s v) -> auto& { return v.limits.head.fields; }, 1, 10'000)};
}

rows log_rows() {
    using s = settings&;
    return {
        text_row("access-log", "off|-|FILE", "one line per request; -: standard output",
                 [](s v) -> auto& { return v.access_log; }),
        access_format_row(),
        text_row("error-log", "-|FILE", "messages of the server; -: standard error",
                 [](s v) -> auto& { return v.error_log; }),
        choice_row<bool>("error-log-format", "text, or one JSON object per line",
                         [](s v) -> auto& { return v.error_log_json; }, {{"text", false}, {"json", true}}),
        choice_row<log::level>("log-level", "messages below it are left out", [](s v) -> auto& { return v.log_level; },
                               {{"debug", log::level::debug},
                                {"info", log::level::info},
                                {"warning", log::level::warning},
                                {"error", log::level::error},
                                {"off", log::level::off}})};
}

rows data_rows() {
    using s = settings&;
    return {
        text_row("db-url", "URL", "the database, for applications that use one",
                 [](s v) -> auto& { return v.data.db_url; }),
        count_row(
            "db-connections", "connections to it, of each process", [](s v) -> auto& { return v.data.db_connections; },
            1, 10'000),
        count_row(
            "db-statements", "statements kept prepared on each; 0: none, for transaction poolers",
            [](s v) -> auto& { return v.data.db_statements; }, 0, 100'000),
        text_row("migrations", "FOLDER", "the changes of its tables", [](s v) -> auto& { return v.data.migrations; }),
        text_row("channels-url", "URL", "what carries channels between processes",
                 [](s v) -> auto& { return v.data.channels_url; }),
        text_row("cache-url", "URL", "what keeps the cache", [](s v) -> auto& { return v.data.cache_url; })};
}

rows file_rows() {
    setting_row config = value_row(
        "config", "FILE", "settings from this file; without it rondo.toml, when there is one",
        [](settings&, const std::string&) {}, [](settings&) { return std::string(); });
    config.letter = 'c';
    config.in_file = false;
    return {std::move(config)};
}

void append(rows& to, std::string_view group, rows more) {
    for (setting_row& row : more) {
        row.group = group;
        to.push_back(std::move(row));
    }
}

rows make_rows() {
    rows all;
    append(all, "Listening", listening_rows());
    append(all, "Workers", worker_rows());
    append(all, "Life of the processes", life_rows());
    append(all, "Limits", limit_rows());
    append(all, "Logs", log_rows());
    append(all, "Data", data_rows());
    append(all, "Where settings come from", file_rows());
    return all;
}

}  // namespace

const std::vector<setting_row>& framework_rows() {
    static const rows all = make_rows();
    return all;
}

}  // namespace rondo::cli
