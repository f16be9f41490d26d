// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/web/access_log.hpp>

namespace rondo {

/// How a line of the access log looks: compiled once, then only appended. One of
///     combined   what Apache and nginx call so: %(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(B)s "%(f)s" "%(a)s"
///     common     the same without the last two
///     json       one object: time, id, peer, method, target, scheme, host, route, status, bytes, ms, referer, agent,
///                aborted, worker, pid
///     a text with atoms like the first; docs/logs.md lists them. "%%" is a percent sign.
/// What the client or the application sent is escaped as Apache does it (\" \\ \xHH): one entry is one line.
class access_format {
public:
    /// `worker` is the name of this process in lines that have it; to be made in the process that writes them. Throws
    /// std::invalid_argument with a sentence that lists the atoms when one is unknown.
    explicit access_format(std::string_view text, std::string worker = {});

    /// Adds one line, '\n' at its end. `unix_time`: seconds since 1970; the line has it in UTC. Throws std::bad_alloc.
    void append(std::string& out, const access_entry& entry, std::int64_t unix_time) const;

    /// True when an atom %({x}o)s needs the fields of the response.
    [[nodiscard]] bool wants_response_fields() const noexcept { return wants_response_fields_; }

private:
    struct piece {
        void (*append)(std::string& out, const access_entry& entry, std::int64_t unix_time, const std::string& text);
        std::string text;  ///< the literal, or the name within {}
    };
    class compiler;

    void append_json(std::string& out, const access_entry& entry, std::int64_t unix_time) const;

    std::vector<piece> pieces_;
    std::string worker_;
    std::string json_end_;  ///< what is the same in every line of this process
    bool json_ = false;
    bool wants_response_fields_ = false;
};

}  // namespace rondo
