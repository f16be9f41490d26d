// SPDX-License-Identifier: Apache-2.0
// Collects the fields of a request head that decide framing, routing and persistence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <string_view>

#include <rondo/http/h1/request_parser.hpp>

namespace rondo::http::h1 {

/// Compares `text` case-insensitively with a word of lower-case letters and '-' of the same size, eight bytes at a
/// time. `text` must not contain CR, the only other byte that becomes a letter or '-' by setting bit 5.
template <std::size_t Size>
[[nodiscard]] inline bool equals_word(std::string_view text, const char (&word)[Size]) noexcept {
    constexpr std::size_t size = Size - 1;
    const auto same = [&]<class Word>(std::size_t at, Word) {
        Word a;
        Word b;
        std::memcpy(&a, text.data() + at, sizeof a);
        std::memcpy(&b, word + at, sizeof b);
        return (a | static_cast<Word>(0x2020202020202020ULL)) == b;
    };
    if constexpr (size >= 8) {
        for (std::size_t at = 0; at + 8 < size; at += 8) {
            if (!same(at, std::uint64_t{})) return false;
        }
        return same(size - 8, std::uint64_t{});
    } else {
        static_assert(size >= 4);
        return same(0, std::uint32_t{}) && same(size - 4, std::uint32_t{});
    }
}

/// The fields that decide framing, routing and persistence, collected while the head is parsed.
class request_fields {
public:
    /// Processes a field line; `value_slice` is the position of the value in the head.
    [[nodiscard]] std::expected<void, parse_error> add(std::string_view name, std::string_view value,
                                                       slice value_slice) noexcept {
        switch (name.size()) {
            case 4:
                if (equals_word(name, "host")) return add_host(value, value_slice);
                break;
            case 6:
                if (equals_word(name, "expect")) add_expect(value);
                break;
            case 7:
                if (equals_word(name, "upgrade")) upgrade_field_ = true;
                break;
            case 10:
                if (equals_word(name, "connection")) add_connection(value);
                break;
            case 14:
                if (equals_word(name, "content-length")) return add_content_length(value);
                break;
            case 17:
                if (equals_word(name, "transfer-encoding")) return add_transfer_encoding(value);
                break;
            default: break;
        }
        return {};
    }

    /// Call after the last line. Reads `minor` of the head; sets body, content_length, expect, keep_alive and upgrade.
    [[nodiscard]] std::expected<void, parse_error> finish(request_head& head) const noexcept;

    /// The value of Host; empty when it is missing.
    [[nodiscard]] slice host() const noexcept { return host_; }

private:
    using step = std::expected<void, parse_error>;

    [[nodiscard]] step add_host(std::string_view value, slice value_slice) noexcept;
    [[nodiscard]] step add_content_length(std::string_view value) noexcept;
    [[nodiscard]] step add_transfer_encoding(std::string_view value) noexcept;
    void add_connection(std::string_view list) noexcept;
    void add_connection_token(std::string_view token) noexcept;
    void add_expect(std::string_view value) noexcept;

    std::uint64_t content_length_ = 0;
    slice host_;
    expectation expect_ = expectation::none;
    bool has_host_ = false;
    bool has_content_length_ = false;
    bool chunked_ = false;
    bool close_ = false;
    bool keep_alive_ = false;
    bool upgrade_token_ = false;
    bool upgrade_field_ = false;
};

}  // namespace rondo::http::h1
