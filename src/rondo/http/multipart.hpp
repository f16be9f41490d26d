// SPDX-License-Identifier: Apache-2.0
// An incremental parser of multipart/form-data bodies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::http {

struct multipart_limits {
    std::uint32_t parts = 1000;
    std::uint32_t head_bytes = 16384;  ///< bytes of the fields of one part
};

/// The head of a part of multipart/form-data (RFC 7578 section 4).
struct multipart_part {
    std::string name;  ///< %22, %0D and %0A, which browsers send for '"', CR and LF, are decoded; also in the file name
    std::optional<std::string> filename;  ///< as sent, filename* preferred; untrusted: never use it as a path
    std::string content_type;             ///< empty when the part has none, which means text/plain
};

enum class multipart_error : std::uint8_t {
    none,
    bad_boundary,   ///< the text between parts is not a boundary line
    bad_part_head,  ///< invalid field syntax, or missing `Content-Disposition: form-data; name=...`
    head_too_large,
    too_many_parts,
};

/// Parses multipart/form-data incrementally, from input split anywhere (RFC 2046 section 5.1, RFC 7578).
class multipart_parser {
public:
    enum class event : std::uint8_t {
        need_more,   ///< all input is consumed
        part_begin,  ///< a part starts; see `part()`
        part_data,   ///< `data` is a piece of its content, never empty
        part_end,
        done,   ///< the closing boundary was read; the epilogue after it is ignored
        error,  ///< see `error()`; final
    };

    struct result {
        event kind;
        std::size_t consumed;   ///< bytes of the input to drop before the next call
        std::string_view data;  ///< a view into the input or the parser, valid until the next call
    };

    /// Throws std::invalid_argument when the boundary is invalid (see is_valid_boundary).
    explicit multipart_parser(std::string_view boundary, const multipart_limits& limits = {});

    /// Call repeatedly with the rest of the input until `need_more`, `done` or `error`. A body that ends before `done`
    /// is malformed.
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
    std::size_t matched_ = 2;  // bytes of the delimiter matched so far; initially a CRLF
    std::uint32_t parts_ = 0;
    state state_ = state::preamble;
    multipart_error error_ = multipart_error::none;
    bool has_name_ = false;
};

/// 1 to 200 visible characters or spaces, not ending with a space: laxer than RFC 2046 section 5.1.1, as clients are.
[[nodiscard]] bool is_valid_boundary(std::string_view) noexcept;

/// Returns the boundary of a Content-Type; std::nullopt when it is not multipart/form-data with a valid boundary.
[[nodiscard]] std::optional<std::string> multipart_boundary(std::string_view content_type);

}  // namespace rondo::http
