// SPDX-License-Identifier: Apache-2.0
// An incremental decoder of chunked message bodies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <rondo/http/fields.hpp>

namespace rondo::http::h1 {

/// Returns false for the fields that must not be sent in trailers: framing, routing, authentication, caching and
/// content fields (RFC 9110 section 6.5.1).
[[nodiscard]] bool is_allowed_in_trailer(std::string_view name) noexcept;

/// Decodes a chunked body (RFC 9112 section 7.1) strictly, from input split anywhere. Use one decoder per body.
class chunked_decoder {
public:
    /// The sender of the body. From a server, spaces after a chunk size are accepted: some servers pad the size, and no
    /// two parsers of a response could disagree. In requests they are an error. Trailers of servers are repaired like
    /// their heads (lenient_response_parser.hpp).
    enum class peer : bool { client, server };

    explicit chunked_decoder(peer sender = peer::client) noexcept : lenient_(sender == peer::server) {}

    /// Limits for one whole body.
    static constexpr std::uint32_t max_extension_bytes = 16384;
    static constexpr std::uint32_t max_trailer_bytes = 16384;
    static constexpr std::uint32_t max_trailers = 100;

    enum class event : std::uint8_t {
        need_more,  ///< all input is consumed
        data,       ///< `data` is a piece of the body, never empty
        done,       ///< the body and its trailers are complete; the bytes after `consumed` belong to the next message
        error,      ///< malformed: respond 400 and close. Final
    };

    struct result {
        event kind;
        std::size_t consumed;   ///< bytes of the input to drop before the next call
        std::string_view data;  ///< a view into the input
    };

    /// Call repeatedly with the rest of the input until `need_more`, `done` or `error`. Throws only std::bad_alloc, for
    /// trailers.
    [[nodiscard]] result decode(std::string_view in);

    /// Like decode(), but joins the data of all chunks in the input into one piece, in place, overwriting the framing.
    /// So a sender of tiny chunks cannot multiply the number of reads. Events after the data, including `done` and
    /// `error`, are returned by the next call.
    [[nodiscard]] result decode_joined(std::span<char> in);

    [[nodiscard]] bool done() const noexcept { return state_ == state::done; }

    /// Bytes of the current chunk that are still to come.
    [[nodiscard]] std::uint64_t chunk_remaining() const noexcept { return state_ == state::data ? remaining_ : 0; }

    /// The trailer fields after `done`, without those not allowed (is_allowed_in_trailer). Never merge them into the
    /// head.
    [[nodiscard]] const fields& trailers() const noexcept { return trailers_; }

private:
    enum class state : std::uint8_t {
        size_start,
        size,
        extension_space,
        extension_start,
        extension_name,
        extension_after_name,
        extension_value_start,
        extension_token,
        extension_quoted,
        extension_escape,
        extension_after_value,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer,
        done,
        failed,
    };

    [[nodiscard]] bool framing_byte(unsigned char) noexcept;
    [[nodiscard]] bool size_byte(unsigned char) noexcept;
    [[nodiscard]] bool extension_byte(unsigned char) noexcept;
    [[nodiscard]] bool end_of_extension(unsigned char, state after_space) noexcept;
    [[nodiscard]] std::size_t trailer_bytes(std::string_view in);
    void trailer_line(std::string_view line);

    std::uint64_t remaining_ = 0;  // of the chunk; while its size line is parsed, the size so far
    std::uint32_t extension_bytes_ = 0;
    std::uint16_t trailer_bytes_ = 0;
    std::uint8_t digits_ = 0;
    std::uint8_t trailer_count_ = 0;
    state state_ = state::size_start;
    bool lenient_;
    std::unique_ptr<std::string> line_;  // the trailer line read so far; a complete line may still be folded
    fields trailers_;
};

}  // namespace rondo::http::h1
