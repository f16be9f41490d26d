// SPDX-License-Identifier: Apache-2.0
// The atoms have the names that Gunicorn uses.
#include <rondo/cli/access_atoms.hpp>

#include <algorithm>
#include <array>
#include <ctime>

#include <unistd.h>

#include <fmt/format.h>

#include <rondo/codec/base64.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/web/request.hpp>

namespace rondo::detail {

namespace {

bool is_plain(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
}

// As in Apache: escapes quotes and backslashes, and writes bytes other than printable ASCII as \xHH.
void append_escaped(std::string& out, std::string_view text) {
    while (!text.empty()) {
        const auto special = std::ranges::find_if_not(text, is_plain);
        out.append(text.begin(), special);
        if (special == text.end()) return;
        const auto byte = static_cast<unsigned char>(*special);
        if (*special == '"' || *special == '\\') out += '\\', out += *special;
        else fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
        text.remove_prefix(static_cast<std::size_t>(special - text.begin()) + 1);
    }
}

void append_or_dash(std::string& out, std::string_view text) {
    if (text.empty()) out += '-';
    else append_escaped(out, text);
}

std::tm utc_time(std::int64_t unix_time) {
    const auto seconds = static_cast<std::time_t>(unix_time);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    return parts;
}

// The time of a line in Common Log Format, cached for one second.
std::string_view clf_time(std::int64_t unix_time) {
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    thread_local std::int64_t cached_time = -1;
    thread_local std::string text;
    if (cached_time != unix_time) {
        const std::tm tm = utc_time(unix_time);
        text = fmt::format("[{:02}/{}/{}:{:02}:{:02}:{:02} +0000]", tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
                           tm.tm_hour, tm.tm_min, tm.tm_sec);
        cached_time = unix_time;
    }
    return text;
}

// Major version 0: the request line had no version (see handler::application::on_refused).
void append_version(std::string& out, const handler::request& req) {
    if (req.version_major == 0) {
        out += '-';
        return;
    }
    out += "HTTP/";
    append_decimal(out, unsigned{req.version_major});
    out += '.';
    append_decimal(out, unsigned{req.version_minor});
}

std::string_view request_field(const access_entry& e, std::string_view name) {
    return e.req->field(name).value_or(std::string_view());
}

// The name before the colon of "Basic" credentials (RFC 7617).
std::string basic_auth_user(const access_entry& e) {
    const std::string_view credentials = request_field(e, "Authorization");
    constexpr std::string_view scheme = "basic ";
    if (!http::equals_ignore_case(credentials.substr(0, scheme.size()), scheme)) return {};
    const auto decoded = codec::base64_decode(http::trimmed(credentials.substr(scheme.size())));
    return decoded ? decoded->substr(0, decoded->find(':')) : std::string();
}

std::string_view response_field(const response_fields& fields, std::string_view name) {
    if (http::equals_ignore_case(name, "content-type") && !fields.content_type.empty()) return fields.content_type;
    for (std::string_view remaining = fields.lines; !remaining.empty();) {
        const std::string_view line = remaining.substr(0, remaining.find('\r'));
        remaining.remove_prefix(std::min(remaining.size(), line.size() + 2));
        const std::size_t colon = line.find(':');
        if (http::equals_ignore_case(line.substr(0, colon), name)) return http::trimmed(line.substr(colon + 1));
    }
    return {};
}

template <class Unit>
auto duration_in(const access_entry& e) {
    return std::chrono::duration_cast<Unit>(e.duration).count();
}

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

using text = const std::string&;
using entry = const access_entry&;

struct atom {
    std::string_view name;
    atom_writer append;
};

// 499: client closed request, as in nginx.
int logged_status(entry e) { return e.code == http::status{} ? 499 : http::to_int(e.code); }

constexpr std::array atoms{
    atom{"h", [](std::string& o, entry e, std::int64_t, text) { append_or_dash(o, e.req->peer_address()); }},
    atom{"l", [](std::string& o, entry, std::int64_t, text) { o += '-'; }},
    atom{"u", [](std::string& o, entry e, std::int64_t, text) { append_or_dash(o, basic_auth_user(e)); }},
    atom{"t", [](std::string& o, entry, std::int64_t now, text) { o += clf_time(now); }},
    atom{"r",
         [](std::string& o, entry e, std::int64_t, text) {
             append_or_dash(o, e.req->method_text());
             if (!e.req->target().empty()) append_escaped(o += ' ', e.req->target());
             if (e.req->server_request().version_major == 0) return;
             append_version(o += ' ', e.req->server_request());
         }},
    atom{"m", [](std::string& o, entry e, std::int64_t, text) { append_or_dash(o, e.req->method_text()); }},
    atom{"U", [](std::string& o, entry e, std::int64_t, text) { append_escaped(o, e.req->raw_path()); }},
    atom{"q", [](std::string& o, entry e, std::int64_t, text) { append_escaped(o, e.req->raw_query()); }},
    atom{"H", [](std::string& o, entry e, std::int64_t, text) { append_version(o, e.req->server_request()); }},
    atom{"s", [](std::string& o, entry e, std::int64_t, text) { append_decimal(o, logged_status(e)); }},
    atom{"b",
         [](std::string& o, entry e, std::int64_t, text) {
             if (e.body_bytes == 0) o += '-';
             else append_decimal(o, e.body_bytes);
         }},
    atom{"B", [](std::string& o, entry e, std::int64_t, text) { append_decimal(o, e.body_bytes); }},
    atom{"f", [](std::string& o, entry e, std::int64_t, text) { append_or_dash(o, request_field(e, "Referer")); }},
    atom{"a", [](std::string& o, entry e, std::int64_t, text) { append_or_dash(o, request_field(e, "User-Agent")); }},
    atom{"T", [](std::string& o, entry e, std::int64_t, text) { append_decimal(o, duration_in<seconds>(e)); }},
    atom{"M", [](std::string& o, entry e, std::int64_t, text) { append_decimal(o, duration_in<milliseconds>(e)); }},
    atom{"D", [](std::string& o, entry e, std::int64_t, text) { append_decimal(o, duration_in<microseconds>(e)); }},
    atom{"L",
         [](std::string& o, entry e, std::int64_t, text) {
             const auto us = duration_in<microseconds>(e);
             fmt::format_to(std::back_inserter(o), "{}.{:06}", us / 1'000'000, us % 1'000'000);
         }},
    atom{"p",
         [](std::string& o, entry, std::int64_t, text) { fmt::format_to(std::back_inserter(o), "<{}>", getpid()); }},
    atom{"{}i", [](std::string& o, entry e, std::int64_t, text name) { append_or_dash(o, request_field(e, name)); }},
    atom{"{}o", [](std::string& o, entry e, std::int64_t,
                   text name) { append_or_dash(o, e.fields ? response_field(*e.fields, name) : std::string_view()); }},
    atom{"{}e", [](std::string& o, entry, std::int64_t, text value) { append_or_dash(o, value); }},
    atom{"id", [](std::string& o, entry e, std::int64_t, text) { append_escaped(o, e.req->id()); }},
    atom{"route", [](std::string& o, entry e, std::int64_t, text) { append_or_dash(o, e.req->route()); }},
    atom{"host", [](std::string& o, entry e, std::int64_t, text) { append_or_dash(o, e.req->host()); }},
    atom{"scheme", [](std::string& o, entry e, std::int64_t, text) { o += e.req->scheme(); }},
    atom{"worker", [](std::string& o, entry, std::int64_t, text name) { append_or_dash(o, name); }},
};

}  // namespace

atom_writer find_atom(std::string_view name) noexcept {
    const auto found = std::ranges::find(atoms, name, &atom::name);
    return found == atoms.end() ? nullptr : found->append;
}

std::string atom_names() {
    std::string names;
    for (const atom& a : atoms) {
        names.append(names.empty() ? "%(" : " %(");
        if (a.name.starts_with("{}")) names.append("{NAME}").append(a.name.substr(2));
        else names.append(a.name);
        names += ")s";
    }
    return names;
}

void append_literal(std::string& out, const access_entry&, std::int64_t, const std::string& text) { out += text; }

std::string_view iso_time(std::int64_t unix_time) {
    thread_local std::int64_t cached_time = -1;
    thread_local std::string text;
    if (cached_time != unix_time) {
        const std::tm tm = utc_time(unix_time);
        text = fmt::format("{}-{:02}-{:02}T{:02}:{:02}:{:02}Z", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                           tm.tm_hour, tm.tm_min, tm.tm_sec);
        cached_time = unix_time;
    }
    return text;
}

void append_thousandths(std::string& out, std::int64_t n) {
    append_decimal(out, n / 1000);
    const auto fraction = static_cast<unsigned>(n % 1000);
    out += '.';
    for (unsigned place : {100u, 10u, 1u}) out += static_cast<char>('0' + fraction / place % 10);
}

}  // namespace rondo::detail
