// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <rondo/cli/units.hpp>

namespace rondo::cli {

namespace {

// The variable of --header-timeout is RONDO_HEADER_TIMEOUT.
std::string variable_of(const std::string& flag) {
    std::string name = "RONDO_";
    for (char c : flag.substr(2))
        name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

// One option whose text `read` turns into a value. What it throws becomes a sentence that names the option.
void option(CLI::App& of, const std::string& flag, const std::string& type, const std::string& text,
            std::function<void(const std::string&)> read) {
    auto take = [flag, read = std::move(read)](const std::string& value) {
        try {
            read(value);
        } catch (const std::exception& e) {
            throw CLI::ValidationError(fmt::format("{}: {}", flag, e.what()));
        }
    };
    of.add_option_function<std::string>(flag, take, text)
        ->type_name(type)
        ->envname(variable_of(flag))
        ->trigger_on_parse();
}

void duration(CLI::App& of, const std::string& flag, std::chrono::milliseconds& to, const std::string& text) {
    auto ms = to.count();
    option(of, flag, "TIME", ms % 1000 ? fmt::format("{} [{}ms]", text, ms) : fmt::format("{} [{}s]", text, ms / 1000),
           [&to](const std::string& v) { to = parse_duration(v); });
}

template <class Number>
void count(CLI::App& of, const std::string& flag, Number& to, const std::string& text, std::uint64_t least,
           std::uint64_t most) {
    option(of, flag, "N", text, [&to, least, most](const std::string& v) {
        std::size_t used = 0;
        std::uint64_t n = 0;
        try {
            n = std::stoull(v, &used);
        } catch (const std::exception&) {
            used = 0;
        }
        if (used == 0 || used != v.size() || v[0] == '-' || n < least || n > most)
            throw std::invalid_argument(fmt::format("'{}' is not a whole number from {} to {}", v, least, most));
        to = static_cast<Number>(n);
    });
}

template <class Enum>
void choice(CLI::App& of, const std::string& flag, Enum& to, const std::string& text,
            const std::vector<std::pair<std::string, Enum>>& names) {
    std::string all;
    for (const auto& [name, value] : names) all += (all.empty() ? "" : "|") + name;
    option(of, flag, all, text, [&to, all, names](const std::string& v) {
        for (auto& [name, value] : names)
            if (name == v) return void(to = value);
        throw std::invalid_argument(fmt::format("'{}' is not one of {}", v, all));
    });
}

void add_listening(CLI::App& serve, settings& s) {
    auto bind = [&s](const std::vector<std::string>& values) {
        for (const std::string& v : values) {
            try {
                s.binds.push_back(net::bind_address::parse(v));
            } catch (const std::exception& e) {
                throw CLI::ValidationError(fmt::format("--bind: {}", e.what()));
            }
        }
    };
    serve
        .add_option_function<std::vector<std::string>>(
            "-b,--bind", bind,
            "where to listen, several times: HOST:PORT, [IPv6]:PORT, unix:/path, fd://N [127.0.0.1:8000]")
        ->type_name("ADDRESS")
        ->envname("RONDO_BIND")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    option(serve, "--fd", "N", "an inherited listening socket, the same as --bind fd://N",
           [&s](const std::string& v) { s.binds.push_back(net::bind_address::parse("fd://" + v)); });
    count(serve, "--backlog", s.listening.backlog, "connections that may wait to be accepted [4096]", 1, 1 << 20);
    count(serve, "--max-connections", s.limits.max_connections,
          "connections open at once; 0: as many as descriptors allow [0]", 0, 10'000'000);
}

void add_workers(CLI::App& serve, settings& s) {
    choice(serve, "--backend", s.backend, "what the loop waits with [auto: io_uring where the kernel allows it]",
           {{"auto", backend_kind::automatic}, {"epoll", backend_kind::epoll}, {"io_uring", backend_kind::io_uring}});
    count(serve, "--threads", s.threads, "threads for sync views, started when needed [32]", 1, 10'000);
    count(serve, "--thread-queue", s.thread_queue, "requests that may wait for such a thread; more get 503 [1024]", 0,
          1'000'000);
    count(serve, "--compute-threads", s.compute_threads, "threads for cpu views; 0: one per core [0]", 0, 1024);
    count(serve, "--compute-queue", s.compute_queue, "requests that may wait for such a thread; more get 503 [256]", 0,
          1'000'000);
    duration(serve, "--graceful-timeout", s.graceful_timeout, "for requests under way after SIGTERM");
    duration(serve, "--stall-threshold", s.stall_threshold, "a view that holds the loop longer is reported; 0: never");
}

void add_limits(CLI::App& serve, settings& s) {
    server::options& l = s.limits;
    duration(serve, "--header-timeout", l.header_timeout, "for a request head");
    duration(serve, "--body-timeout", l.body_timeout, "without a byte of a body");
    count(serve, "--body-rate", l.body_rate, "bytes per second that a body must bring on average after that [1024]", 1,
          1 << 30);
    duration(serve, "--keepalive-timeout", l.keepalive_timeout, "for an idle connection");
    duration(serve, "--request-timeout", l.request_timeout, "until a response begins");
    duration(serve, "--write-timeout", l.write_timeout, "for a client that reads nothing of a response");
    option(serve, "--max-body", "SIZE", "of a request, unless its route says otherwise [1MiB]",
           [&l](const std::string& v) { l.max_body = parse_size(v); });
    auto small_size = [](std::uint32_t& to) {
        return [&to](const std::string& v) {
            std::uint64_t n = parse_size(v);
            if (n < 64 || n > 1 << 24) throw std::invalid_argument(fmt::format("'{}' is not between 64 and 16MiB", v));
            to = static_cast<std::uint32_t>(n);
        };
    };
    option(serve, "--max-request-line", "SIZE", "of a request [8KiB]", small_size(l.head.request_line));
    option(serve, "--max-fields-size", "SIZE", "all fields of a head together [32KiB]",
           small_size(l.head.fields_bytes));
    count(serve, "--max-fields", l.head.fields, "fields of a head [100]", 1, 10'000);
}

void add_logs(CLI::App& serve, settings& s) {
    option(serve, "--access-log", "off|-|FILE", "one line per request; -: standard output [off]",
           [&s](const std::string& v) { s.access_log = v; });
    choice(serve, "--access-log-format", s.format, "[combined]",
           {{"combined", access_format::combined}, {"json", access_format::json}});
    option(serve, "--error-log", "-|FILE", "messages of the server; -: standard error [-]",
           [&s](const std::string& v) { s.error_log = v; });
    option(serve, "--log-level", "LEVEL", "debug, info, warning, error or off [info]",
           [&s](const std::string& v) { s.log_level = log::parse_level(v); });
}

void add_settings(CLI::App& to, settings& s) {
    add_listening(to, s);
    add_workers(to, s);
    add_limits(to, s);
    add_logs(to, s);
    to.footer(
        "TIME: 250ms, 3s, 2m, 1h. SIZE: 65536, 512KiB, 1MiB. Every option can also be set by its variable, "
        "RONDO_BACKEND for --backend.");
}

constexpr std::array<std::string_view, 4> commands{"serve", "routes", "check", "version"};

}  // namespace

std::optional<invocation> parse_command_line(int argc, const char* const* argv, int& status) {
    invocation chosen;
    CLI::App line("An application served by Rondo. Without a command it serves.");
    line.name(argc > 0 ? argv[0] : "app");
    line.require_subcommand(1);
    auto* serve = line.add_subcommand("serve", "serves the application");
    auto* routes = line.add_subcommand("routes", "prints the routes with the kind of each view");
    auto* check = line.add_subcommand("check", "looks for mistakes in routes and settings without serving");
    auto* version = line.add_subcommand("version", "prints the version");
    // Each its own: the environment is read for both, and must not overwrite what the command line says.
    settings checked;
    add_settings(*serve, chosen.chosen);
    add_settings(*check, checked);

    std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    bool asks_for_help = !arguments.empty() && (arguments[0] == "-h" || arguments[0] == "--help");
    if (!asks_for_help && (arguments.empty() || arguments[0].starts_with('-')))
        arguments.insert(arguments.begin(), "serve");
    if (!asks_for_help && std::ranges::find(commands, arguments[0]) == commands.end()) {
        fmt::print(stderr, "{}: '{}' is no command; there are serve, routes, check and version\n", line.get_name(),
                   arguments[0]);
        status = 2;
        return std::nullopt;
    }
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
    try {
        line.parse(std::move(arguments));
    } catch (const CLI::ParseError& e) {
        status = e.get_exit_code() == 0 ? line.exit(e) : 2;
        if (status) fmt::print(stderr, "{}: {}\nTry '{} --help'.\n", line.get_name(), e.what(), line.get_name());
        return std::nullopt;
    }
    if (*routes) chosen.what = command::routes;
    else if (*check) chosen = {command::check, std::move(checked)};
    else if (*version) chosen.what = command::version;
    if (chosen.chosen.binds.empty()) chosen.chosen.binds.push_back(net::bind_address::parse("127.0.0.1:8000"));
    if (chosen.chosen.compute_threads == 0)
        chosen.chosen.compute_threads = std::max(1u, std::thread::hardware_concurrency());
    status = 0;
    return chosen;
}

}  // namespace rondo::cli
