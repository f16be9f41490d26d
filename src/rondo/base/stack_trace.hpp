// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rondo {

/// Where a thread was: the addresses of its frames, the innermost first.
class stack_trace {
public:
    static constexpr std::size_t most_frames = 64;

    struct frame {
        std::uintptr_t address = 0;
        std::string function;  ///< demangled; empty when unknown
        std::string file;      ///< empty without line tables
        int line = 0;
    };

    /// Fills this with the calling thread's frames from `from` on; all when `from` is 0 or not found. Async-signal-safe
    /// and without allocation once prepare() was called in the process.
    void capture(std::uintptr_t from = 0) noexcept;
    static void prepare() noexcept;

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Names of the frames. Reads debug information: milliseconds the first time. Any thread; does not throw for what
    /// is missing.
    [[nodiscard]] std::vector<frame> frames() const;
    /// One line per frame: "function at file:line". Ends before the first caller whose name begins with `until`.
    [[nodiscard]] std::string text(const char* until = nullptr) const;

private:
    std::array<std::uintptr_t, most_frames> addresses_{};
    std::size_t size_ = 0;
    bool interrupted_ = false;  // the first address is of the instruction itself, not the one after a call
};

}  // namespace rondo
