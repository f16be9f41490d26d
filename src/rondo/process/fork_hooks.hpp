// SPDX-License-Identifier: Apache-2.0
// What an application does around the fork of a child of the arbiter.
#pragma once

namespace rondo::process {

/// What an application does around the fork of each child of the arbiter, for a runtime that must know about it. Not
/// called around forks that execute another program.
class fork_hooks {
public:
    virtual ~fork_hooks() = default;

    /// Called in the arbiter right before the fork.
    virtual void before_fork() noexcept = 0;
    /// Called in the arbiter right after the fork, also when it failed.
    virtual void after_fork_in_parent() noexcept = 0;
    /// Called in the child before any other code of the application.
    virtual void after_fork_in_child() noexcept = 0;
};

}  // namespace rondo::process
