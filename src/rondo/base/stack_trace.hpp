// SPDX-License-Identifier: Apache-2.0
// Captures the stack of a thread and symbolizes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rondo {

/// The addresses of the frames of a thread, innermost first.
class stack_trace {
public:
    static constexpr std::size_t max_frames = 64;

    struct frame {
        std::uintptr_t address = 0;
        std::string function;  ///< demangled; empty when unknown
        std::string file;      ///< empty without line tables
        int line = 0;
    };

    /// Captures the frames of the calling thread, starting at address `from`; all when it is 0 or not found.
    /// Async-signal-safe and without allocation after prepare() was called in the process.
    void capture(std::uintptr_t from = 0) noexcept;
    static void prepare() noexcept;

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Symbolizes the frames. Reads debug information, which takes milliseconds the first time. Any thread; missing
    /// information is not an error.
    [[nodiscard]] std::vector<frame> frames() const;
    /// One line per frame: "function at file:line". Stops before the first caller whose name starts with `until`.
    [[nodiscard]] std::string text(const char* until = nullptr) const;

private:
    std::array<std::uintptr_t, max_frames> addresses_{};
    std::size_t size_ = 0;
    bool interrupted_ = false;  // the first address is the interrupted instruction, not a return address
};

}  // namespace rondo
