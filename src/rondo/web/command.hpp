// SPDX-License-Identifier: Apache-2.0
// Commands that an application adds to the command line.
#pragma once

#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <rondo/coro/task.hpp>
#include <rondo/web/routing/view.hpp>

namespace rondo {

/// The positional arguments after the command: `app import a.csv b.csv`.
using command_arguments = std::span<const std::string>;

/// Options of a command, beyond its name and function.
class command_options {
public:
    /// Runs the command without the start and stop hooks of the application, for work that must precede its start.
    command_options& without_lifespan() noexcept { return has_lifespan_ = false, *this; }
    [[nodiscard]] bool has_lifespan() const noexcept { return has_lifespan_; }

private:
    bool has_lifespan_ = true;
};

namespace detail {

/// A command declared by an application.
struct declared_command {
    std::string name;
    std::string help;
    bool takes_arguments = false;
    erased_object object;
    task<int> (*async)(const void* object, command_arguments) = nullptr;  ///< on the loop; null if `sync` is set
    int (*sync)(const void* object, command_arguments) = nullptr;         ///< on the blocking pool
    command_options options;
};

template <class F, bool Arguments>
auto call_command(const void* object, command_arguments values) {
    F& f = *const_cast<F*>(static_cast<const F*>(object));
    if constexpr (Arguments) return f(values);
    else return f();
}

template <class F>
declared_command make_command(const std::string& name, const std::string& help, F f) {
    constexpr bool arguments = std::is_invocable_v<F&, command_arguments>;
    static_assert(arguments || std::is_invocable_v<F&>,
                  "a command takes no parameters or rondo::command_arguments, and returns int or rondo::task<int>");
    using result = decltype(call_command<F, arguments>(nullptr, {}));
    static_assert(std::is_same_v<result, int> || std::is_same_v<result, task<int>>,
                  "a command must return the exit status as int or rondo::task<int>");
    declared_command command{
        .name = name, .help = help, .takes_arguments = arguments, .object = make_erased(std::move(f)), .options = {}};
    if constexpr (std::is_same_v<result, int>) command.sync = call_command<F, arguments>;
    else command.async = call_command<F, arguments>;
    return command;
}

}  // namespace detail

}  // namespace rondo
