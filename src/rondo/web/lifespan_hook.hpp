// SPDX-License-Identifier: Apache-2.0
// Start and stop hooks and lifespan tasks of an application, with their type erased.
#pragma once

#include <type_traits>
#include <utility>

#include <rondo/coro/task.hpp>
#include <rondo/web/routing/view.hpp>

namespace rondo::detail {

/// A function that runs at startup or shutdown, or as a worker-lifetime or periodic task.
struct hook {
    erased_object object;
    task<void> (*async)(const void* object) = nullptr;  ///< on the loop; null if `sync` is set
    void (*sync)(const void* object) = nullptr;         ///< on the blocking pool
};

template <class F>
hook make_hook(F f) {
    static_assert(std::is_invocable_v<F&>, "a hook takes no arguments and returns rondo::task<void> or void");
    const auto call = [](const void* object) { return (*const_cast<F*>(static_cast<const F*>(object)))(); };
    if constexpr (std::is_same_v<std::invoke_result_t<F&>, task<void>>)
        return {make_erased(std::move(f)), call, nullptr};
    else
        return {make_erased(std::move(f)), nullptr,
                [](const void* o) { (void)(*const_cast<F*>(static_cast<const F*>(o)))(); }};
}

}  // namespace rondo::detail
