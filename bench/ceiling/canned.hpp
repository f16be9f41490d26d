// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>

#include "../sockets.hpp"

/// What both limit servers have in common: one canned response and the least that finds the end of a head.
namespace ceiling {

inline constexpr std::string_view response =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";

/// This many responses in a row: one send answers a whole pipeline.
inline constexpr std::size_t batch = 256;

inline std::string responses() {
    std::string all;
    for (std::size_t i = 0; i < batch; ++i) all += response;
    return all;
}

/// Counts the ends of heads in `bytes`. `matched` is how much of "\r\n\r\n" the bytes before ended with; it is kept
/// from call to call, so a head may arrive in pieces.
inline std::size_t count_heads(std::uint8_t& matched, std::string_view bytes) noexcept {
    if (matched == 0 && bytes.ends_with("\r\n\r\n") &&
        memmem(bytes.data(), bytes.size(), "\r\n\r\n", 4) == bytes.data() + bytes.size() - 4)
        return 1;  // the common case: exactly one whole head
    std::size_t heads = 0;
    for (const char c : bytes) {
        const char wanted = (matched & 1) ? '\n' : '\r';
        matched = static_cast<std::uint8_t>(c == wanted ? matched + 1 : (c == '\r' ? 1 : 0));
        if (matched == 4) {
            ++heads;
            matched = 0;
        }
    }
    return heads;
}

/// Answers that are due later. One queue per delay, so each is ordered by itself.
class delays {
public:
    struct answer {
        std::uint64_t due_ms;
        int fd;
        std::uint16_t generation;  ///< tells a connection from a later one with the same descriptor
    };

    /// The milliseconds after which a request is to be answered: "/wait" a second, "/timer" one, others none.
    static unsigned of(std::string_view head) noexcept {
        if (head.size() < 10 || head[5] == ' ') return 0;
        const std::string_view path = head.substr(4);
        if (path.starts_with("/wait")) return 1000;
        return path.starts_with("/timer") ? 1 : 0;
    }

    void add(unsigned ms, int fd, std::uint16_t generation) {
        (ms == 1 ? short_ : long_).push_back({now_ms() + ms, fd, generation});
    }

    [[nodiscard]] bool empty() const noexcept { return short_.empty() && long_.empty(); }

    /// Calls `f(answer)` for all that are due; returns the milliseconds until the next, or -1.
    template <class F>
    int expire(F&& f) {
        if (empty()) return -1;
        const std::uint64_t now = now_ms();
        std::uint64_t next = ~std::uint64_t{0};
        for (auto* queue : {&short_, &long_}) {
            while (!queue->empty() && queue->front().due_ms <= now) {
                f(queue->front());
                queue->pop_front();
            }
            if (!queue->empty() && queue->front().due_ms < next) next = queue->front().due_ms;
        }
        return empty() ? -1 : static_cast<int>(next - now);
    }

private:
    // Rounded up: nobody is answered early.
    static std::uint64_t now_ms() noexcept { return (bench::now_ns() + 999'999) / 1'000'000; }

    std::deque<answer> short_;
    std::deque<answer> long_;
};

}  // namespace ceiling
