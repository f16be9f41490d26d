// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/access_log.hpp>

#include <ctime>

namespace rondo::cli {

void access_log_file::write(const access_entry& entry) noexcept {
    try {
        thread_local std::string line;
        line.clear();
        std::time_t now = std::time(nullptr);
        if (json_) append_json_line(line, entry, now);
        else append_combined(line, entry, now);
        if (line.ends_with('\n')) line.pop_back();
        lines_.write(line);
    } catch (...) {
        // A line that finds no memory is lost; the request is not.
    }
}

}  // namespace rondo::cli
