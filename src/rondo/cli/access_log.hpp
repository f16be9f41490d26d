// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <rondo/base/log.hpp>
#include <rondo/web/access_log.hpp>

namespace rondo::cli {

/// Writes one line per request to a file or standard output, from a thread of its own.
class access_log_file final : public access_log_sink {
public:
    /// "-" is standard output. Throws std::system_error.
    access_log_file(const std::string& path, const std::string& format) : lines_(path), json_(format == "json") {}

    void write(const access_entry& entry) noexcept override;
    void reopen() { lines_.reopen(); }
    [[nodiscard]] unsigned long dropped() const noexcept { return lines_.dropped(); }

private:
    log::line_writer lines_;
    bool json_;
};

}  // namespace rondo::cli
