// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/access_log.hpp>

#include <ctime>

namespace rondo::cli {

void access_log_file::write(const access_entry& entry) noexcept {
    try {
        thread_local std::string line;
        line.clear();
        format_.append(line, entry, std::time(nullptr));
        line.pop_back();
        lines_.write(line);
    } catch (...) {
        // Out of memory: drops the line, not the request.
    }
}

}  // namespace rondo::cli
