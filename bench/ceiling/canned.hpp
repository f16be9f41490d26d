// SPDX-License-Identifier: Apache-2.0
// The canned response of both ceiling servers, and the cheapest way to find the end of a request head.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>

#include "../sockets.hpp"

namespace ceiling {

inline constexpr std::string_view response =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";

/// The number of responses in responses(): one send answers a whole pipeline.
inline constexpr std::size_t batch = 256;

inline std::string responses() {
    std::string result;
    for (std::size_t i = 0; i < batch; ++i) result += response;
    return result;
}

/// Counts the ends of heads in `bytes`. `matched` is how much of "\r\n\r\n" the previous bytes ended with; the caller
/// keeps it between calls, so a head may arrive in pieces.
inline std::size_t count_heads(std::uint8_t& matched, std::string_view bytes) noexcept {
    if (matched == 0 && bytes.ends_with("\r\n\r\n") &&
        memmem(bytes.data(), bytes.size(), "\r\n\r\n", 4) == bytes.data() + bytes.size() - 4)
        return 1;  // the common case: exactly one whole head
    std::size_t heads = 0;
    for (const char c : bytes) {
        const char expected = (matched & 1) ? '\n' : '\r';
        matched = static_cast<std::uint8_t>(c == expected ? matched + 1 : (c == '\r' ? 1 : 0));
        if (matched == 4) {
            ++heads;
            matched = 0;
        }
    }
    return heads;
}

/// Responses that are due later. There is one queue per delay, so each queue is in the order of due times.
class delayed_responses {
public:
    struct entry {
        std::uint64_t due_ms;
        int fd;
        std::uint16_t generation;  ///< distinguishes a connection from a later one with the same descriptor
    };

    /// The delay of the response in milliseconds: 1000 for "/wait", 1 for "/timer", 0 for other paths.
    static unsigned delay_ms(std::string_view head) noexcept {
        if (head.size() < 10 || head[5] == ' ') return 0;
        const std::string_view path = head.substr(4);
        if (path.starts_with("/wait")) return 1000;
        return path.starts_with("/timer") ? 1 : 0;
    }

    void add(unsigned ms, int fd, std::uint16_t generation) {
        (ms == 1 ? short_ : long_).push_back({now_ms() + ms, fd, generation});
    }

    [[nodiscard]] bool empty() const noexcept { return short_.empty() && long_.empty(); }

    /// Calls `f(entry)` for all responses that are due; returns the milliseconds until the next one, or -1.
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
    // Rounded up, so that no response is sent early.
    static std::uint64_t now_ms() noexcept { return (bench::now_ns() + 999'999) / 1'000'000; }

    std::deque<entry> short_;
    std::deque<entry> long_;
};

}  // namespace ceiling
