// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/bug_report.hpp>

#include <atomic>
#include <exception>
#include <string>

#include <rondo/base/log.hpp>

namespace rondo {

namespace {

void log_bug(const char* message) noexcept {
    try {
        log::error(std::string("bug: ") + message);
    } catch (const std::exception&) {
        log::error(message);
    }
}

constinit std::atomic<bug_handler> current_handler{log_bug};

}  // namespace

void report_bug(const char* message) noexcept { current_handler.load()(message); }

bug_handler set_bug_handler(bug_handler h) noexcept { return current_handler.exchange(h ? h : log_bug); }

}  // namespace rondo
