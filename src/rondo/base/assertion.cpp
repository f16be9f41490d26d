// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/assertion.hpp>

#include <atomic>
#include <exception>
#include <string>

#include <rondo/base/log.hpp>

namespace rondo {

namespace {

void log_failed_assertion(const char* message) noexcept {
    try {
        log::error(std::string("bug: ") + message);
    } catch (const std::exception&) {
        log::error(message);
    }
}

constinit std::atomic<assertion_handler> current_handler{log_failed_assertion};

}  // namespace

void report_failed_assertion(const char* message) noexcept { current_handler.load()(message); }

assertion_handler set_assertion_handler(assertion_handler h) noexcept {
    return current_handler.exchange(h ? h : log_failed_assertion);
}

}  // namespace rondo
