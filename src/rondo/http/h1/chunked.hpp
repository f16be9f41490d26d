// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <rondo/http/fields.hpp>

namespace rondo::http::h1 {

/// Decodes a chunked body (RFC 9112 section 7.1), strictly, from pieces cut anywhere. One decoder per body.
class chunked_decoder {
public:
    /// Of whom: some servers pad chunk sizes with spaces. Nothing else may come between a size and the end of its line,
    /// so no two readers of a response could disagree; those of requests are refused all the same. Trailers of servers
    /// are mended as their heads are (mend.hpp).
    enum class from : bool { client, server };

    explicit chunked_decoder(from sender = from::client) noexcept : mends_(sender == from::server) {}

    /// Bounds over one whole body.
    static constexpr std::uint32_t max_extension_bytes = 16384;
    static constexpr std::uint32_t max_trailer_bytes = 16384;
    static constexpr std::uint32_t max_trailers = 100;

    enum class event : std::uint8_t {
        need_more,  ///< all input is consumed
        data,       ///< `data` is a part of the body, never empty
        done,       ///< the body and its trailers are complete; the bytes after `consumed` belong to the next message
        error,      ///< not a valid chunked body: answer 400 and close. Every further call says the same
    };

    struct result {
        event what;
        std::size_t consumed;   ///< bytes of the input to drop before the next call
        std::string_view data;  ///< a view into the input
    };

    /// Call again with the rest of the input until `need_more`, `done` or `error`. Throws std::bad_alloc only, and only
    /// for trailers.
    [[nodiscard]] result decode(std::string_view in);

    /// The same, with the data of all chunks of the input as one piece: what was read so far is overwritten with it. A
    /// sender of tiny chunks does not choose how often its reader is called. What comes behind the data, `done` and
    /// `error` too, is for the next call.
    [[nodiscard]] result decode_joined(std::span<char> in);

    [[nodiscard]] bool done() const noexcept { return state_ == state::done; }

    /// Bytes that are still to come of the chunk whose size was read last.
    [[nodiscard]] std::uint64_t announced() const noexcept { return state_ == state::data ? left_ : 0; }

    /// The trailer fields after `done`, without those that must not come late (framing, routing, authentication,
    /// caching, content fields; RFC 9110 section 6.5.1). They are never to be merged into the head.
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

    std::uint64_t left_ = 0;  // of the chunk; while its size line is read, the size so far
    std::uint32_t extension_bytes_ = 0;
    std::uint16_t trailer_bytes_ = 0;
    std::uint8_t digits_ = 0;
    std::uint8_t trailer_count_ = 0;
    state state_ = state::size_start;
    bool mends_;
    std::unique_ptr<std::string> line_;  // the trailer line read so far; whole: it may be folded yet
    fields trailers_;
};

}  // namespace rondo::http::h1
