// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/response_parser.hpp>

#include <rondo/http/characters.hpp>
#include <rondo/http/h1/head_reader.hpp>
#include <rondo/http/h1/request_fields.hpp>
#include <rondo/http/h1/scanner.hpp>

namespace rondo::http::h1 {
namespace {

using step = std::expected<void, parse_error>;

constexpr std::string_view version_pattern = "HTTP/1.1 ";

bool is_digit(char c) noexcept { return characters::is(c, characters::digit); }

// The fields that decide framing and persistence.
class response_fields {
public:
    [[nodiscard]] step add(std::string_view name, std::string_view value, slice) noexcept {
        switch (name.size()) {
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

    [[nodiscard]] step finish(method request_method, received_head& head) const noexcept {
        if (chunked_ && (has_length_ || head.minor == 0)) return std::unexpected(parse_error::bad_transfer_encoding);
        head.content_length = length_;
        head.has_content_length = has_length_;
        head.body = framing_of(request_method, head.code);
        const bool persistent = head.minor == 0 ? keep_alive_ : true;
        head.keep_alive = persistent && !close_ && head.body != response_framing::until_close &&
                          head.body != response_framing::tunnel;
        return {};
    }

private:
    [[nodiscard]] response_framing framing_of(method request_method, status code) const noexcept {
        const int number = to_int(code);
        if (code == status::switching_protocols) return response_framing::tunnel;
        if (request_method == method::connect && number >= 200 && number < 300) return response_framing::tunnel;
        if (request_method == method::head || forbids_body(code)) return response_framing::none;
        if (chunked_) return response_framing::chunked;
        return has_length_ ? response_framing::length : response_framing::until_close;
    }

    [[nodiscard]] step add_content_length(std::string_view value) noexcept {
        const auto length = parse_content_length(value);
        if (has_length_ || !length) return std::unexpected(parse_error::bad_content_length);
        length_ = *length;
        has_length_ = true;
        return {};
    }

    [[nodiscard]] step add_transfer_encoding(std::string_view value) noexcept {
        if (!chunked_ && equals_ignore_case(value, "chunked")) {
            chunked_ = true;
            return {};
        }
        // No other coding was requested: the client never sends TE.
        return std::unexpected(chunked_ ? parse_error::bad_transfer_encoding : parse_error::unknown_transfer_coding);
    }

    void add_connection(std::string_view list) noexcept {
        close_ = close_ || list_contains(list, "close");
        keep_alive_ = keep_alive_ || list_contains(list, "keep-alive");
    }

    std::uint64_t length_ = 0;
    bool has_length_ = false;
    bool chunked_ = false;
    bool close_ = false;
    bool keep_alive_ = false;
};

template <class Scanner>
class response_head_parser : head_reader<Scanner, response_head_parser<Scanner>> {
    using base = head_reader<Scanner, response_head_parser<Scanner>>;
    using base::base_, base::limits_, base::p_, base::stop_;
    using base::field_lines, base::make_slice, base::set_limit, base::fail, base::incomplete_or;

public:
    response_head_parser(std::string_view bytes, const parse_limits& limits, std::span<field_ref> storage,
                         received_head& out) noexcept
        : base(bytes, limits, storage), out_(out) {}

    [[nodiscard]] step parse(method request_method) noexcept {
        if (const step s = status_line(); !s) return s;
        if (const step s = field_lines(fields_, out_.fields); !s) return s;
        out_.size = static_cast<std::uint32_t>(p_ - base_);
        return fields_.finish(request_method, out_);
    }

private:
    [[nodiscard]] step status_line() noexcept {
        set_limit(std::size_t{limits_.request_line} + 2);
        for (std::size_t i = 0; i < version_pattern.size(); ++i, ++p_) {
            if (p_ == stop_) return incomplete_or(parse_error::status_line_too_long);
            const bool valid = i == 5 || i == 7 ? is_digit(*p_) : *p_ == version_pattern[i];
            if (!valid) return fail(parse_error::bad_version);
        }
        if (p_[-4] != '1') return fail(parse_error::version_not_supported);
        out_.minor = p_[-2] == '0' ? 0 : 1;
        if (const step s = code(); !s) return s;
        return reason();
    }

    [[nodiscard]] step code() noexcept {
        int number = 0;
        for (int i = 0; i < 3; ++i, ++p_) {
            if (p_ == stop_) return incomplete_or(parse_error::status_line_too_long);
            if (!is_digit(*p_) || (i == 0 && *p_ == '0')) return fail(parse_error::bad_status);
            number = number * 10 + (*p_ - '0');
        }
        out_.code = static_cast<status>(number);
        return {};
    }

    [[nodiscard]] step reason() noexcept {
        if (p_ == stop_) return incomplete_or(parse_error::status_line_too_long);
        if (*p_ != ' ' && *p_ != '\r') return fail(*p_ == '\n' ? parse_error::bad_line_end : parse_error::bad_status);
        if (*p_ == ' ') ++p_;
        const char* const start = p_;
        while (p_ != stop_ && characters::is(*p_, characters::field_byte)) ++p_;
        if (p_ == stop_ || (*p_ == '\r' && stop_ - p_ < 2)) return incomplete_or(parse_error::status_line_too_long);
        if (*p_ != '\r' && *p_ != '\n') return fail(parse_error::bad_status);
        if (*p_ != '\r' || p_[1] != '\n') return fail(parse_error::bad_line_end);
        out_.reason = make_slice(start, p_);
        p_ += 2;
        return {};
    }

    received_head& out_;
    response_fields fields_;
};

}  // namespace

std::expected<void, parse_error> parse_response_head(std::string_view bytes, method request_method,
                                                     const parse_limits& limits, std::span<field_ref> storage,
                                                     received_head& out) noexcept {
    if (bytes.size() < fast_scanner::min_size)
        return response_head_parser<scalar_scanner>(bytes, limits, storage, out).parse(request_method);
    return response_head_parser<fast_scanner>(bytes, limits, storage, out).parse(request_method);
}

}  // namespace rondo::http::h1
