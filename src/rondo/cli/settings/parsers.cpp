// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/parsers.hpp>

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <rondo/base/parse_number.hpp>
#include <rondo/cli/access_format.hpp>
#include <rondo/cli/settings/types.hpp>
#include <rondo/process/privileges.hpp>

namespace rondo::cli {

namespace {

unsigned read_octal(std::string_view text) {
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
    if (is_number(name)) return static_cast<void>(process::identity_of(name, ""));
    if (getpwnam(name.c_str())) return;
    throw std::invalid_argument(fmt::format("user '{}' does not exist", name));
}

void require_group(const std::string& name) {
    if (is_number(name)) return static_cast<void>(process::identity_of("", name));
    if (getgrnam(name.c_str())) return;
    throw std::invalid_argument(fmt::format("group '{}' does not exist", name));
}

setting_row checked_text(std::string name, std::string type, std::string help, std::string& (*member)(settings&),
                         void (*require)(const std::string&)) {
    return value_row(
        std::move(name), std::move(type), std::move(help),
        [=](settings& s, const std::string& t) {
            if (!t.empty()) require(t);
            member(s) = t;
        },
        [member](settings& s) { return member(s); });
}

// A list: calls `clear`, then `add` once per item.
template <class Clear, class Add, class Show>
setting_row list_row(std::string name, std::string type, std::string help, Clear clear, Add add, Show show) {
    setting_row row;
    row.name = std::move(name);
    row.type = std::move(type);
    row.help = std::move(help);
    row.shape = row_shape::list;
    row.read = [=](settings& s, std::span<const std::string> texts) {
        clear(s);
        for (const std::string& t : texts) add(s, t);
    };
    row.show = show;
    row.standard = row.show(settings{});
    return row;
}

compute_workers parse_compute_workers(std::string_view text) {
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    const auto is_name_char = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
    };
    if (equals == text.npos || name.empty() || !std::ranges::all_of(name, is_name_char))
        throw std::invalid_argument(fmt::format("'{}' is not NAME=N, such as model=2", text));
    return {std::string(name), read_count(text.substr(equals + 1), 1, 1024)};
}

}  // namespace

std::string address_text(const net::bind_address& address) {
    using kind = net::bind_address::kind;
    if (address.what == kind::unix_path) return "unix:" + address.path;
    if (address.what == kind::inherited) return fmt::format("fd://{}", address.fd);
    if (address.host.find(':') != address.host.npos) return fmt::format("[{}]:{}", address.host, address.port);
    return fmt::format("{}:{}", address.host.empty() ? "*" : address.host, address.port);
}

std::size_t compute_threads_of(const settings& settings) noexcept {
    if (settings.compute_threads > 0) return settings.compute_threads;
    return std::max<std::size_t>(1, usable_cores() / std::max<std::size_t>(1, settings.workers));
}

setting_row bind_row() {
    setting_row row = list_row(
        "bind", "ADDRESS",
        "address to listen on, repeatable: HOST:PORT, [IPv6]:PORT, *:PORT (IPv4 and IPv6), unix:/path, fd://N",
        [](settings& s) { s.binds.clear(); },
        [](settings& s, const std::string& t) { s.binds.push_back(net::bind_address::parse(t)); },
        [](const settings& s) {
            std::vector<std::string> all;
            for (const net::bind_address& address : s.binds) all.push_back(address_text(address));
            return fmt::format("{}", fmt::join(all, ","));
        });
    row.standard = "127.0.0.1:8000";
    return row;
}

setting_row inherited_row() {
    return list_row(
        "fd", "N", "inherited listening socket; same as --bind fd://N", [](settings& s) { s.inherited.clear(); },
        [](settings& s, const std::string& t) { s.inherited.push_back(net::bind_address::parse("fd://" + t).fd); },
        [](const settings& s) { return fmt::format("{}", fmt::join(s.inherited, ",")); });
}

setting_row admin_row() {
    return value_row(
        "admin", "off|ADDRESS", "address of the admin listener: unix:/path or 127.0.0.1:PORT",
        [](settings& s, const std::string& t) {
            if (t == "off") s.admin.reset();
            else s.admin = net::bind_address::parse(t);
        },
        [](settings& s) { return s.admin ? address_text(*s.admin) : std::string("off"); });
}

setting_row umask_row() {
    return value_row(
        "umask", "MODE", "file mode creation mask, octal",
        [](settings& s, const std::string& t) { s.umask = read_octal(t); },
        [](settings& s) { return s.umask ? fmt::format("{:04o}", *s.umask) : std::string(); });
}

setting_row compute_workers_row() {
    setting_row row = list_row(
        "compute-workers", "NAME=N", "N processes for the isolated views named NAME, repeatable",
        [](settings& s) { s.compute.clear(); },
        [](settings& s, const std::string& t) {
            compute_workers parsed = parse_compute_workers(t);
            std::erase_if(s.compute, [&parsed](const compute_workers& other) { return other.name == parsed.name; });
            s.compute.push_back(std::move(parsed));
        },
        [](const settings& s) {
            std::vector<std::string> all;
            for (const compute_workers& w : s.compute) all.push_back(fmt::format("{}={}", w.name, w.count));
            return fmt::format("{}", fmt::join(all, ","));
        });
    row.shape = row_shape::dictionary;
    return row;
}

setting_row compute_threads_row() {
    setting_row row = count_row(
        "compute-threads", "threads per worker for cpu views, started on demand; 0: usable CPUs / workers",
        [](settings& s) -> auto& { return s.compute_threads; }, 0, 1024);
    row.standard = "usable CPUs / workers, at least 1";
    row.show = [](const settings& s) { return std::to_string(compute_threads_of(s)); };
    return row;
}

setting_row access_format_row() {
    return value_row(
        "access-log-format", "combined|common|json|TEXT",
        "format of access log lines; TEXT contains atoms such as %(h)s, see docs/logs.md",
        [](settings& s, const std::string& t) {
            (void)access_format(t);
            s.access_log_format = t;
        },
        [](settings& s) { return s.access_log_format; });
}

setting_row mode_row(std::string name, std::string help, unsigned& (*member)(settings&)) {
    return value_row(
        std::move(name), "MODE", std::move(help),
        [member](settings& s, const std::string& t) { member(s) = read_octal(t); },
        [member](settings& s) { return fmt::format("{:04o}", member(s)); });
}

setting_row user_row(std::string name, std::string help, std::string& (*member)(settings&)) {
    return checked_text(std::move(name), "USER", std::move(help), member, require_user);
}

setting_row group_row(std::string name, std::string help, std::string& (*member)(settings&)) {
    return checked_text(std::move(name), "GROUP", std::move(help), member, require_group);
}

setting_row owner_row(std::string name, std::string help, std::string& (*member)(settings&)) {
    return checked_text(std::move(name), "USER[:GROUP]", std::move(help), member, [](const std::string& text) {
        const std::size_t colon = text.find(':');
        if (colon != 0) require_user(text.substr(0, colon));
        if (colon != text.npos) require_group(text.substr(colon + 1));
    });
}

setting_row folder_row(std::string name, std::string help, std::string& (*member)(settings&)) {
    return checked_text(std::move(name), "DIRECTORY", std::move(help), member, [](const std::string& path) {
        struct stat status{};
        if (stat(path.c_str(), &status) || !S_ISDIR(status.st_mode))
            throw std::invalid_argument(fmt::format("'{}' is not a directory", path));
    });
}

setting_row allow_row(std::string name, std::string help, http::allow_list& (*member)(settings&)) {
    return list_row(
        std::move(name), "ADDRESS", std::move(help), [member](settings& s) { member(s) = {}; },
        [member](settings& s, const std::string& t) { member(s).add(t); },
        [member](const settings& s) { return member(const_cast<settings&>(s)).text(); });
}

}  // namespace rondo::cli
