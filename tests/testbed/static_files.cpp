// SPDX-License-Identifier: Apache-2.0
#include "static_files.hpp"

#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string_view>

namespace testbed {
namespace {

void write(const std::filesystem::path& file, std::string_view text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream out(file, std::ios::binary);
    out << text;
    if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
}

void fill(const std::filesystem::path& folder) {
    std::string digits;
    for (int i = 0; i < 100; ++i) digits += "0123456789";
    write(folder / "hello.txt", "hello static\n");
    write(folder / "range.bin", digits);
    write(folder / "empty.txt", "");
    write(folder / "page.html", "<p>page</p>\n");
    write(folder / "a b+c%.txt", "odd name\n");
    write(folder / "sub" / "index.html", "<p>index</p>\n");
    write(folder / "sub" / "deep.txt", "deep\n");
    write(folder / ".hidden", "secret-file\n");
    write(folder / ".git" / "config", "secret-file\n");
    std::filesystem::create_symlink("/etc/passwd", folder / "escape");
    std::filesystem::create_directory_symlink("/etc", folder / "out");
    std::filesystem::create_symlink("hello.txt", folder / "inside");
}

}  // namespace

static_files::static_files() {
    if (const char* folder = std::getenv("TESTBED_STATIC")) {
        path_ = folder;
        return;
    }
    std::string name = (std::filesystem::temp_directory_path() / "testbed-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot create a temporary folder " + name);
    path_ = std::move(name);
    temporary_ = true;
    fill(path_);
}

static_files::~static_files() {
    std::error_code ignored;
    if (temporary_) std::filesystem::remove_all(path_, ignored);
}

}  // namespace testbed
