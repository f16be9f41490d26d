// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/fork_generation.hpp>

#include <atomic>

#include <pthread.h>

namespace rondo {

namespace {

constinit std::atomic<unsigned> fork_count{0};
[[maybe_unused]] const int atfork_result = ::pthread_atfork(nullptr, nullptr, [] { fork_count.fetch_add(1); });

}  // namespace

unsigned fork_generation() noexcept { return fork_count.load(std::memory_order_relaxed); }

}  // namespace rondo
