// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include <rondo/http/h1/parser.hpp>

namespace rondo::http::h1 {

/// The fields that decide framing, routing and the life of the connection, gathered while the head is read.
class request_fields {
public:
    /// Takes a field line into account. Lines that matter here are few: the size of the name sorts most others out.
    [[nodiscard]] std::expected<void, parse_error> note(std::string_view name, std::string_view value,
                                                        slice at) noexcept {
        if (name.size() >= 32 || ((known_sizes >> name.size()) & 1U) == 0) return {};
        return note_known(name, value, at);
    }

    /// Decides once all lines are there. Wants `minor` of the head; fills body, content_length, expect, keep_alive, upgrade.
    [[nodiscard]] std::expected<void, parse_error> finish(request_head& head) const noexcept;

    /// The value of Host; empty when there is none.
    [[nodiscard]] slice host() const noexcept { return host_; }

private:
    using step = std::expected<void, parse_error>;

    static constexpr std::uint32_t known_sizes = 1U << 4 | 1U << 6 | 1U << 7 | 1U << 10 | 1U << 14 | 1U << 17;

    [[nodiscard]] step note_known(std::string_view name, std::string_view value, slice at) noexcept;
    [[nodiscard]] step note_host(std::string_view value, slice at) noexcept;
    [[nodiscard]] step note_content_length(std::string_view value) noexcept;
    [[nodiscard]] step note_transfer_encoding(std::string_view value) noexcept;
    void note_connection(std::string_view value) noexcept;
    void note_expect(std::string_view value) noexcept;

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
