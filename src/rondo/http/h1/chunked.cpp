// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/chunked.hpp>

#include <algorithm>
#include <array>
#include <cstring>

#include <rondo/http/characters.hpp>

namespace rondo::http::h1 {
namespace {

constexpr std::uint8_t max_size_digits = 16;
constexpr std::uint64_t max_chunk = std::uint64_t{1} << 63;

// Besides the connection fields and Content-*.
constexpr std::array forbidden_in_trailers = std::to_array<std::string_view>({
    "age",
    "authorization",
    "cache-control",
    "cookie",
    "date",
    "expect",
    "expires",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "retry-after",
    "set-cookie",
    "www-authenticate",
});

bool is_space(unsigned char c) noexcept { return characters::is_space(static_cast<char>(c)); }

// Allowed in a quoted string; quote and backslash are handled by the caller.
bool is_quotable(unsigned char c) noexcept { return characters::is(static_cast<char>(c), characters::field_byte); }

bool is_token(unsigned char c) noexcept { return characters::is(static_cast<char>(c), characters::token); }

}  // namespace

bool is_allowed_in_trailer(std::string_view name) noexcept {
    constexpr std::string_view content = "content-";
    if (is_connection_field(name)) return false;
    // A digest is known only after the content (RFC 9530).
    if (equals_ignore_case(name.substr(0, content.size()), content)) return equals_ignore_case(name, "content-digest");
    return std::none_of(forbidden_in_trailers.begin(), forbidden_in_trailers.end(),
                        [name](std::string_view other) { return equals_ignore_case(name, other); });
}

chunked_decoder::result chunked_decoder::decode(std::string_view in) {
    std::size_t at = 0;
    while (state_ != state::done && state_ != state::failed) {
        if (at == in.size()) return {event::need_more, at, {}};
        if (state_ == state::data) {
            const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, in.size() - at));
            remaining_ -= size;
            if (remaining_ == 0) state_ = state::data_cr;
            return {event::data, at + size, in.substr(at, size)};
        }
        if (state_ == state::trailer) {
            at += trailer_bytes(in.substr(at));
        } else if (!framing_byte(static_cast<unsigned char>(in[at++]))) {
            state_ = state::failed;
        }
    }
    return {state_ == state::done ? event::done : event::error, at, {}};
}

chunked_decoder::result chunked_decoder::decode_joined(std::span<char> in) {
    const std::string_view input(in.data(), in.size());
    result joined = decode(input);
    if (joined.kind != event::data) return joined;
    char* const begin = in.data() + (joined.data.data() - in.data());
    std::size_t size = joined.data.size();
    while (joined.consumed < in.size()) {
        const result next = decode(input.substr(joined.consumed));
        joined.consumed += next.consumed;
        if (next.kind != event::data) break;
        std::memmove(begin + size, next.data.data(), next.data.size());
        size += next.data.size();
    }
    joined.data = {begin, size};
    return joined;
}

// Returns false when the byte is invalid in this state.
bool chunked_decoder::framing_byte(unsigned char c) noexcept {
    switch (state_) {
        case state::size_start:
        case state::size: return size_byte(c);
        case state::size_lf:
            digits_ = 0;
            state_ = remaining_ == 0 ? state::trailer : state::data;
            return c == '\n';
        case state::data_cr: state_ = state::data_lf; return c == '\r';
        case state::data_lf: state_ = state::size_start; return c == '\n';
        default: return ++extension_bytes_ <= max_extension_bytes && extension_byte(c);
    }
}

bool chunked_decoder::size_byte(unsigned char c) noexcept {
    if (const int digit = characters::hex_value(static_cast<char>(c)); digit >= 0) {
        remaining_ = remaining_ << 4 | static_cast<unsigned>(digit);
        state_ = state::size;
        return ++digits_ <= max_size_digits && remaining_ < max_chunk;
    }
    if (state_ == state::size_start) return false;
    if (c == '\r') {
        state_ = state::size_lf;
    } else if (c == ';') {
        state_ = state::extension_start;
    } else {
        state_ = state::extension_space;
        return is_space(c);
    }
    return true;
}

// *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ), RFC 9112 section 7.1.1
bool chunked_decoder::extension_byte(unsigned char c) noexcept {
    switch (state_) {
        case state::extension_space:
            if (c == '\r' && lenient_) return state_ = state::size_lf, true;
            if (c == ';') state_ = state::extension_start;
            return c == ';' || is_space(c);
        case state::extension_start:
            if (is_space(c)) return true;
            state_ = state::extension_name;
            return is_token(c);
        case state::extension_name:
            if (c == '=') state_ = state::extension_value_start;
            return c == '=' || is_token(c) || end_of_extension(c, state::extension_after_name);
        case state::extension_after_name:
            if (c == '=') state_ = state::extension_value_start;
            if (c == ';') state_ = state::extension_start;
            return c == '=' || c == ';' || is_space(c);
        case state::extension_value_start:
            if (is_space(c)) return true;
            state_ = c == '"' ? state::extension_quoted : state::extension_token;
            return c == '"' || is_token(c);
        case state::extension_token: return is_token(c) || end_of_extension(c, state::extension_space);
        case state::extension_quoted:
            if (c == '"') state_ = state::extension_after_value;
            if (c == '\\') state_ = state::extension_escape;
            return is_quotable(c);
        case state::extension_escape: state_ = state::extension_quoted; return is_quotable(c);
        case state::extension_after_value: return end_of_extension(c, state::extension_space);
        default: return false;
    }
}

bool chunked_decoder::end_of_extension(unsigned char c, state after_space) noexcept {
    if (c == '\r') {
        state_ = state::size_lf;
    } else if (c == ';') {
        state_ = state::extension_start;
    } else if (is_space(c)) {
        state_ = after_space;
    } else {
        return false;
    }
    return true;
}

// Consumes input up to the end of a line and returns the number of bytes.
std::size_t chunked_decoder::trailer_bytes(std::string_view in) {
    if (line_ != nullptr && line_->ends_with("\r\n")) {
        if (is_space(static_cast<unsigned char>(in.front())) && line_->find(':') != std::string::npos) {
            line_->replace(line_->size() - 2, 2, "  ");
        } else {
            trailer_line(*line_);
            line_.reset();
            if (state_ == state::failed) return 0;
        }
    }
    const std::size_t lf = in.find('\n');
    const std::size_t size = std::min(in.size(), lf == std::string_view::npos ? lf : lf + 1);
    if (size > max_trailer_bytes - trailer_bytes_) {
        state_ = state::failed;
        return size;
    }
    trailer_bytes_ = static_cast<std::uint16_t>(trailer_bytes_ + size);
    const std::string_view piece = in.substr(0, size);
    if (line_ == nullptr && lf != std::string_view::npos && (!lenient_ || piece == "\r\n")) {
        trailer_line(piece);
        return size;
    }
    if (line_ == nullptr) line_ = std::make_unique<std::string>();
    line_->append(piece);
    // The byte after the line decides whether it is folded.
    const bool may_be_folded = lenient_ && !line_->starts_with('\r') && line_->ends_with("\r\n");
    if (lf != std::string_view::npos && !may_be_folded) {
        trailer_line(*line_);
        line_.reset();
    }
    return size;
}

// `line` contains one LF, at its end.
void chunked_decoder::trailer_line(std::string_view line) {
    if (line == "\r\n") {
        state_ = state::done;
        return;
    }
    const std::size_t colon = line.find(':');
    state_ = state::failed;
    if (!line.ends_with("\r\n") || colon == std::string_view::npos || trailer_count_ == max_trailers) return;
    std::string_view name = line.substr(0, colon);
    while (lenient_ && !name.empty() && is_space(static_cast<unsigned char>(name.back()))) name.remove_suffix(1);
    const std::string_view value = trimmed(line.substr(colon + 1, line.size() - colon - 3));
    if (!is_valid_field_name(name) || !is_valid_field_value(value)) return;
    ++trailer_count_;
    if (is_allowed_in_trailer(name)) trailers_.add(name, value);
    state_ = state::trailer;
}

}  // namespace rondo::http::h1
