// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <vector>

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <rondo/cli/settings/command_line.hpp>
#include <rondo/web/app.hpp>

namespace rondo::cli {

/// A file that goes with the object.
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

using words = std::initializer_list<const char*>;

/// What an application is asked for by these arguments and variables.
inline invocation asked_of(app& application, words arguments, words variables = {}) {
    std::vector<const char*> environment(variables);
    environment.push_back(nullptr);
    return read_invocation(application, std::vector<const char*>(arguments), environment.data());
}

inline invocation asked(words arguments, words variables = {}) {
    app application;
    return asked_of(application, arguments, variables);
}

inline std::string origin_of(const invocation& of, std::string_view name) {
    return of.origins[static_cast<std::size_t>(find_row(of.rows, name) - of.rows.data())];
}

}  // namespace rondo::cli
