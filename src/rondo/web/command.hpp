// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <rondo/coro/task.hpp>
#include <rondo/web/routing/view.hpp>

namespace rondo {

/// The words after the command and its settings: `app import a.csv b.csv`.
using command_arguments = std::span<const std::string>;

/// What can be said of a command beyond its name and function.
class command_options {
public:
    /// Runs it without the hooks of the start and the end of the application: for what has to be done before it can
    /// start.
    command_options& without_start() noexcept { return starts_ = false, *this; }
    [[nodiscard]] bool starts() const noexcept { return starts_; }

private:
    bool starts_ = true;
};

namespace detail {

/// A command that an application declared.
struct declared_command {
    std::string name;
    std::string help;
    bool takes_arguments = false;
    owned object;
    task<int> (*async)(const void* object, command_arguments) = nullptr;  ///< one of the two
    int (*sync)(const void* object, command_arguments) = nullptr;         ///< on the blocking pool
    command_options options;
};

template <class F, bool Arguments>
auto call_command(const void* object, command_arguments words) {
    F& f = *const_cast<F*>(static_cast<const F*>(object));
    if constexpr (Arguments) return f(words);
    else return f();
}

template <class F>
declared_command make_command(const std::string& name, const std::string& help, F f) {
    constexpr bool arguments = std::is_invocable_v<F&, command_arguments>;
    static_assert(arguments || std::is_invocable_v<F&>,
                  "a command takes nothing or rondo::command_arguments, and returns int or rondo::task<int>");
    using result = decltype(call_command<F, arguments>(nullptr, {}));
    static_assert(std::is_same_v<result, int> || std::is_same_v<result, task<int>>,
                  "a command returns the exit status, int or rondo::task<int>");
    declared_command made{
        .name = name, .help = help, .takes_arguments = arguments, .object = own(std::move(f)), .options = {}};
    if constexpr (std::is_same_v<result, int>) made.sync = call_command<F, arguments>;
    else made.async = call_command<F, arguments>;
    return made;
}

}  // namespace detail

}  // namespace rondo
