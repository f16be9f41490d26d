// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::http {

struct multipart_limits {
    std::uint32_t parts = 1000;
    std::uint32_t head_bytes = 16384;  ///< of one part's fields
};

/// The head of a part of multipart/form-data (RFC 7578 section 4).
struct multipart_part {
    std::string name;  ///< %22, %0D and %0A decoded, which browsers send for '"', CR and LF; so in the file name
    std::optional<std::string> filename;  ///< as sent, filename* before filename: never a path to be used as it is
    std::string content_type;             ///< empty when the part has none (it is text/plain then)
};

enum class multipart_error : std::uint8_t {
    none,
    bad_boundary,   ///< the text between parts is not a boundary line
    bad_part_head,  ///< bad field syntax, or no `Content-Disposition: form-data; name=...`
    head_too_large,
    too_many_parts,
};

/// Parses multipart/form-data from pieces cut anywhere (RFC 2046 section 5.1, RFC 7578).
class multipart_parser {
public:
    enum class event : std::uint8_t {
        need_more,   ///< all input is consumed
        part_begin,  ///< `part()` describes the part that begins
        part_data,   ///< `data` is a part of its content, never empty
        part_end,
        done,   ///< the closing boundary was read; what follows is an epilogue to be ignored
        error,  ///< see `error()`. Every further call says the same
    };

    struct result {
        event what;
        std::size_t consumed;   ///< bytes of the input to drop before the next call
        std::string_view data;  ///< a view into the input or into the parser, until the next call
    };

    /// Throws std::invalid_argument when the boundary is not valid (see valid_boundary).
    explicit multipart_parser(std::string_view boundary, const multipart_limits& limits = {});

    /// Call again with the rest of the input until `need_more`, `done` or `error`. The end of the body without `done`
    /// is an error of the sender.
    [[nodiscard]] result parse(std::string_view in);

    [[nodiscard]] const multipart_part& part() const noexcept { return part_; }
    [[nodiscard]] multipart_error error() const noexcept { return error_; }
    [[nodiscard]] bool done() const noexcept { return state_ == state::done; }

private:
    enum class state : std::uint8_t {
        preamble,
        content,
        after_boundary,
        closing,
        padding,
        boundary_lf,
        head,
        done,
        failed
    };

    [[nodiscard]] result content(std::string_view in);
    [[nodiscard]] result resume_match(std::string_view in);
    [[nodiscard]] std::size_t match_size(std::string_view in, std::size_t from) const noexcept;
    void boundary_byte(char c) noexcept;
    [[nodiscard]] std::size_t head_bytes(std::string_view in);
    void read_head();
    [[nodiscard]] bool read_field(std::string_view line);
    [[nodiscard]] bool read_disposition(std::string_view value);
    [[nodiscard]] bool use_extended_name(std::string_view text);
    void fail(multipart_error) noexcept;

    std::string delimiter_;  // CRLF "--" boundary
    std::string head_;
    multipart_part part_;
    multipart_limits limits_;
    std::size_t matched_ = 2;  // bytes of the delimiter the input ended with; it begins as if after a CRLF
    std::uint32_t parts_ = 0;
    state state_ = state::preamble;
    multipart_error error_ = multipart_error::none;
    bool named_ = false;
};

/// 1 to 200 visible characters or spaces, the last no space. RFC 2046 section 5.1.1 has fewer, but clients do not mind.
[[nodiscard]] bool valid_boundary(std::string_view) noexcept;

/// The boundary of a Content-Type; none when it is not multipart/form-data with a valid boundary.
[[nodiscard]] std::optional<std::string> multipart_boundary(std::string_view content_type);

}  // namespace rondo::http
