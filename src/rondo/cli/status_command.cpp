// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/status_command.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <rondo/admin/admin_client.hpp>
#include <rondo/admin/status_text.hpp>

namespace rondo::cli {

namespace {

using namespace std::chrono_literals;

std::size_t terminal_columns() noexcept {
    winsize size{};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : SIZE_MAX;
}

// Overwrites the screen instead of clearing it, which would flicker.
std::string overwrite_screen(std::string_view text) {
    std::string out = "\x1b[H";
    for (const char c : text) {
        if (c == '\n') out += "\x1b[K";
        out += c;
    }
    return out + "\x1b[J";
}

void print_now(const std::string& text) {
    fmt::print("{}", text);
    std::fflush(stdout);
}

}  // namespace

int print_status(const server_settings& settings, bool watch) {
    if (!settings.admin)
        throw std::invalid_argument(
            "status needs the admin listener; set --admin (RONDO_ADMIN, admin in rondo.toml) as for the server");
    const bool screen = watch && isatty(STDOUT_FILENO);
    codec::json_value before;
    if (screen) print_now("\x1b[2J");
    for (;;) {
        codec::json_value now = admin::fetch_status(*settings.admin);
        const std::string text = admin::status_text(now, before, terminal_columns());
        print_now(screen ? overwrite_screen(text) : text);
        if (!watch) return 0;
        if (!screen) print_now("\n");
        before = std::move(now);
        std::this_thread::sleep_for(1s);
    }
}

}  // namespace rondo::cli
