// SPDX-License-Identifier: Apache-2.0
// The access log: writes one line per request to a file or standard output.
#pragma once

#include <string>
#include <utility>

#include <rondo/base/log.hpp>
#include <rondo/cli/access_format.hpp>

namespace rondo::cli {

/// Writes one line per request to a file or standard output, from a thread of its own.
class access_log_file final : public access_log_sink {
public:
    /// "-" is standard output; `format` is parsed by access_format. `worker` is the name of this process for formats
    /// that contain it. See log::line_writer about a file that cannot be opened.
    access_log_file(const std::string& path, const std::string& format, std::string worker = {},
                    log::open_policy opening = log::open_policy::required)
        : lines_(path, opening), format_(format, std::move(worker)) {}

    void write(const access_entry& entry) noexcept override;
    [[nodiscard]] bool needs_response_fields() const noexcept override { return format_.needs_response_fields(); }
    void reopen() { lines_.reopen(); }
    [[nodiscard]] unsigned long dropped() const noexcept { return lines_.dropped_lines(); }

private:
    log::line_writer lines_;
    access_format format_;
};

}  // namespace rondo::cli
