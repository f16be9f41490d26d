// SPDX-License-Identifier: Apache-2.0
// Helpers for tests that parse settings: a temporary file and a parsed command line.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <vector>

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <rondo/cli/served_app.hpp>
#include <rondo/cli/settings/load_settings.hpp>
#include <rondo/web/app.hpp>

namespace rondo::cli {

/// A file that is removed with the object.
class temporary_file {
public:
    explicit temporary_file(std::string_view text) {
        const int fd = mkstemp(path_.data());
        EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
        ::close(fd);
    }
    ~temporary_file() { ::unlink(path_.c_str()); }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_ = testing::TempDir() + "rondo-settings-XXXXXX";
};

using c_strings = std::initializer_list<const char*>;

/// Parses these arguments and environment variables for an application.
inline command_line parse_arguments_for(app& application, c_strings arguments, c_strings variables = {}) {
    std::vector<const char*> environment(variables);
    environment.push_back(nullptr);
    served_app served(application);
    return parse_command_line(served, {}, std::vector<const char*>(arguments), environment.data());
}

inline command_line parse_arguments(c_strings arguments, c_strings variables = {}) {
    app application;
    return parse_arguments_for(application, arguments, variables);
}

inline std::string origin_of(const command_line& line, std::string_view name) {
    return line.origins[static_cast<std::size_t>(find_row(line.rows, name) - line.rows.data())];
}

}  // namespace rondo::cli
