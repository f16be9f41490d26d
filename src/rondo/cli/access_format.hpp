// SPDX-License-Identifier: Apache-2.0
// Formats access log lines: combined, common, JSON, or a custom format of atoms.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/web/access_log.hpp>

namespace rondo {

/// The format of access log lines, compiled once. One of
///     combined   as in Apache and nginx: %(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(B)s "%(f)s" "%(a)s"
///     common     combined without the last two
///     json       one object: time, id, peer, method, target, scheme, host, route, status, bytes, ms, referer, agent,
///                aborted, worker, pid
///     TEXT       a text with atoms such as %(h)s; docs/logs.md lists them. "%%" is a percent sign.
/// Data of the client and the application is escaped as in Apache (\" \\ \xHH), so that an entry is always one line.
class access_format {
public:
    /// `worker` is the name of this process for formats that contain it. Construct in the process that writes the
    /// lines. Throws std::invalid_argument with a message that lists the atoms when the format is invalid.
    explicit access_format(std::string_view text, std::string worker = {});

    /// Appends one line with a trailing '\n'. `unix_time`: seconds since 1970, printed in UTC. Throws std::bad_alloc.
    void append(std::string& out, const access_entry& entry, std::int64_t unix_time) const;

    /// True when the format contains an atom %({x}o)s.
    [[nodiscard]] bool needs_response_fields() const noexcept { return needs_response_fields_; }

private:
    struct piece {
        void (*append)(std::string& out, const access_entry& entry, std::int64_t unix_time, const std::string& text);
        std::string text;  ///< the literal, or the name within {}
    };
    class compiler;

    void append_json(std::string& out, const access_entry& entry, std::int64_t unix_time) const;

    std::vector<piece> pieces_;
    std::string worker_;
    std::string json_suffix_;  ///< constant end of the lines of this process
    bool json_ = false;
    bool needs_response_fields_ = false;
};

}  // namespace rondo
