// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/access_log.hpp>

#include <fmt/format.h>

#include <ctime>
#include <iterator>

#include <rondo/codec/json.hpp>
#include <rondo/web/request.hpp>

namespace rondo {
namespace {

/// What Apache does: quotes and backslashes are escaped, bytes that are no printable ASCII become \xHH.
void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte >= 0x7f) {
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
        } else {
            out += c;
        }
    }
    out += '"';
}

void append_field(std::string& out, const request& req, std::string_view name) {
    append_quoted(out, req.field(name).value_or("-"));
}

std::tm broken_down(std::int64_t unix_time) {
    const auto seconds = static_cast<std::time_t>(unix_time);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    return parts;
}

double milliseconds(clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

std::string request_line(const request& req) {
    const handler::request& from = req.received();
    return fmt::format("{} {} HTTP/{}.{}", req.method_text(), req.target(), from.version_major, from.version_minor);
}

}  // namespace

void append_combined(std::string& out, const access_entry& entry, std::int64_t unix_time) {
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::tm at = broken_down(unix_time);
    const auto peer = entry.req->peer_address();
    fmt::format_to(std::back_inserter(out), "{} - - [{:02}/{}/{}:{:02}:{:02}:{:02} +0000] ", peer.empty() ? "-" : peer,
                   at.tm_mday, months[at.tm_mon], at.tm_year + 1900, at.tm_hour, at.tm_min, at.tm_sec);
    append_quoted(out, request_line(*entry.req));
    // 499 is nginx' word for a client that did not wait.
    const int code = entry.code == http::status{} ? 499 : http::to_int(entry.code);
    fmt::format_to(std::back_inserter(out), " {:03} {} ", code, entry.body_bytes);
    append_field(out, *entry.req, "Referer");
    out += ' ';
    append_field(out, *entry.req, "User-Agent");
    out += '\n';
}

void append_json_line(std::string& out, const access_entry& entry, std::int64_t unix_time) {
    request& req = *entry.req;
    const std::tm at = broken_down(unix_time);
    codec::json_writer line(out);
    line.begin_object();
    line.member("time", std::string_view(fmt::format("{}-{:02}-{:02}T{:02}:{:02}:{:02}Z", at.tm_year + 1900,
                                                     at.tm_mon + 1, at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec)));
    line.member("id", req.id()).member("peer", req.peer_address());
    line.member("method", req.method_text()).member("target", req.target()).member("host", req.host());
    line.member("route", req.route()).member("status", http::to_int(entry.code)).member("bytes", entry.body_bytes);
    line.member("ms", milliseconds(entry.duration));
    line.member("referer", req.field("Referer").value_or(std::string_view()));
    line.member("agent", req.field("User-Agent").value_or(std::string_view()));
    line.member("aborted", entry.aborted);
    line.end_object();
    out += '\n';
}

}  // namespace rondo
