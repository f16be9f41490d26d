// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/bug.hpp>

#include <atomic>
#include <cstdio>

namespace rondo {

namespace {

void write_to_stderr(const char* what) noexcept { std::fprintf(stderr, "rondo: bug: %s\n", what); }

constinit std::atomic<bug_handler> handler{write_to_stderr};

}  // namespace

void report_bug(const char* what) noexcept { handler.load()(what); }

bug_handler on_bug(bug_handler h) noexcept { return handler.exchange(h ? h : write_to_stderr); }

}  // namespace rondo
