// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/special_rows.hpp>

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <rondo/base/parse_number.hpp>
#include <rondo/cli/access_format.hpp>
#include <rondo/cli/settings/typed_rows.hpp>
#include <rondo/process/privileges.hpp>

namespace rondo::cli {

namespace {

unsigned parse_octal(std::string_view text) {
    const std::optional<unsigned> n = parse_number<unsigned>(text, 8);
    if (!n || *n > 0777)
        throw std::invalid_argument(
            fmt::format("'{}' is not a valid mode; expected octal digits from 0 to 0777, such as 0660", text));
    return *n;
}

bool is_number(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

void require_user(const std::string& name) {
    if (is_number(name)) return static_cast<void>(process::resolve_identity(name, ""));
    if (getpwnam(name.c_str())) return;
    throw std::invalid_argument(fmt::format("user '{}' does not exist", name));
}

void require_group(const std::string& name) {
    if (is_number(name)) return static_cast<void>(process::resolve_identity("", name));
    if (getgrnam(name.c_str())) return;
    throw std::invalid_argument(fmt::format("group '{}' does not exist", name));
}

setting_row validated_text_row(std::string name, std::string type, std::string help,
                               std::string& (*member)(server_settings&), void (*require)(const std::string&)) {
    return value_row(
        std::move(name), std::move(type), std::move(help),
        [=](server_settings& s, const std::string& t) {
            if (!t.empty()) require(t);
            member(s) = t;
        },
        [member](server_settings& s) { return member(s); });
}

// A list: calls `clear`, then `add` once per item.
template <class Clear, class Add, class Show>
setting_row list_row(std::string name, std::string type, std::string help, Clear clear, Add add, Show show) {
    setting_row row;
    row.name = std::move(name);
    row.type = std::move(type);
    row.help = std::move(help);
    row.shape = row_shape::list;
    row.parse = [=](server_settings& s, std::span<const std::string> texts) {
        clear(s);
        for (const std::string& t : texts) add(s, t);
    };
    row.to_text = show;
    row.default_value = row.to_text(server_settings{});
    return row;
}

compute_pool_setting parse_compute_workers(std::string_view text) {
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    const auto is_name_char = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
    };
    if (equals == text.npos || name.empty() || !std::ranges::all_of(name, is_name_char))
        throw std::invalid_argument(fmt::format("'{}' is not NAME=N, such as model=2", text));
    return {std::string(name), parse_bounded_count(text.substr(equals + 1), 1, 1024)};
}

}  // namespace

std::size_t compute_threads_per_worker(const server_settings& settings) noexcept {
    if (settings.compute_threads > 0) return settings.compute_threads;
    return std::max<std::size_t>(1, usable_cpus() / std::max<std::size_t>(1, settings.workers));
}

setting_row bind_row() {
    setting_row row = list_row(
        "bind", "ADDRESS",
        "address to listen on, repeatable: HOST:PORT, [IPv6]:PORT, *:PORT (IPv4 and IPv6), unix:/path, fd://N",
        [](server_settings& s) { s.binds.clear(); },
        [](server_settings& s, const std::string& t) { s.binds.push_back(net::bind_address::parse(t)); },
        [](const server_settings& s) {
            std::vector<std::string> addresses;
            for (const net::bind_address& address : s.binds) addresses.push_back(address.text());
            return fmt::format("{}", fmt::join(addresses, ","));
        });
    row.default_value = "127.0.0.1:8000";
    return row;
}

setting_row fd_row() {
    return list_row(
        "fd", "N", "inherited listening socket; same as --bind fd://N",
        [](server_settings& s) { s.inherited_fds.clear(); },
        [](server_settings& s, const std::string& t) {
            s.inherited_fds.push_back(net::bind_address::parse("fd://" + t).fd);
        },
        [](const server_settings& s) { return fmt::format("{}", fmt::join(s.inherited_fds, ",")); });
}

setting_row admin_row() {
    return value_row(
        "admin", "off|ADDRESS", "address of the admin listener: unix:/path or 127.0.0.1:PORT",
        [](server_settings& s, const std::string& t) {
            if (t == "off") s.admin.reset();
            else s.admin = net::bind_address::parse(t);
        },
        [](server_settings& s) { return s.admin ? s.admin->text() : std::string("off"); });
}

setting_row umask_row() {
    return value_row(
        "umask", "MODE", "file mode creation mask, octal",
        [](server_settings& s, const std::string& t) { s.umask = parse_octal(t); },
        [](server_settings& s) { return s.umask ? fmt::format("{:04o}", *s.umask) : std::string(); });
}

setting_row compute_workers_row() {
    setting_row row = list_row(
        "compute-workers", "NAME=N", "N processes for the isolated views named NAME, repeatable",
        [](server_settings& s) { s.compute.clear(); },
        [](server_settings& s, const std::string& t) {
            compute_pool_setting parsed = parse_compute_workers(t);
            std::erase_if(s.compute,
                          [&parsed](const compute_pool_setting& other) { return other.name == parsed.name; });
            s.compute.push_back(std::move(parsed));
        },
        [](const server_settings& s) {
            std::vector<std::string> entries;
            for (const compute_pool_setting& w : s.compute) entries.push_back(fmt::format("{}={}", w.name, w.count));
            return fmt::format("{}", fmt::join(entries, ","));
        });
    row.shape = row_shape::dictionary;
    return row;
}

setting_row compute_threads_row() {
    setting_row row = count_row(
        "compute-threads", "threads per worker for cpu views, started on demand; 0: usable CPUs / workers",
        [](server_settings& s) -> auto& { return s.compute_threads; }, 0, 1024);
    row.default_value = "usable CPUs / workers, at least 1";
    row.to_text = [](const server_settings& s) { return std::to_string(compute_threads_per_worker(s)); };
    return row;
}

setting_row access_format_row() {
    return value_row(
        "access-log-format", "combined|common|json|TEXT",
        "format of access log lines; TEXT contains atoms such as %(h)s, see docs/logs.md",
        [](server_settings& s, const std::string& t) {
            (void)access_format(t);
            s.access_log_format = t;
        },
        [](server_settings& s) { return s.access_log_format; });
}

setting_row mode_row(std::string name, std::string help, unsigned& (*member)(server_settings&)) {
    return value_row(
        std::move(name), "MODE", std::move(help),
        [member](server_settings& s, const std::string& t) { member(s) = parse_octal(t); },
        [member](server_settings& s) { return fmt::format("{:04o}", member(s)); });
}

setting_row user_row(std::string name, std::string help, std::string& (*member)(server_settings&)) {
    return validated_text_row(std::move(name), "USER", std::move(help), member, require_user);
}

setting_row group_row(std::string name, std::string help, std::string& (*member)(server_settings&)) {
    return validated_text_row(std::move(name), "GROUP", std::move(help), member, require_group);
}

setting_row owner_row(std::string name, std::string help, std::string& (*member)(server_settings&)) {
    return validated_text_row(std::move(name), "USER[:GROUP]", std::move(help), member, [](const std::string& text) {
        const std::size_t colon = text.find(':');
        if (colon != 0) require_user(text.substr(0, colon));
        if (colon != text.npos) require_group(text.substr(colon + 1));
    });
}

setting_row directory_row(std::string name, std::string help, std::string& (*member)(server_settings&)) {
    return validated_text_row(std::move(name), "DIRECTORY", std::move(help), member, [](const std::string& path) {
        struct stat status{};
        if (stat(path.c_str(), &status) || !S_ISDIR(status.st_mode))
            throw std::invalid_argument(fmt::format("'{}' is not a directory", path));
    });
}

setting_row allow_row(std::string name, std::string help, http::allow_list& (*member)(server_settings&)) {
    return list_row(
        std::move(name), "ADDRESS", std::move(help), [member](server_settings& s) { member(s) = {}; },
        [member](server_settings& s, const std::string& t) { member(s).add(t); },
        [member](const server_settings& s) { return member(const_cast<server_settings&>(s)).text(); });
}

}  // namespace rondo::cli
