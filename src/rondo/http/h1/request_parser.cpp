// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/request_parser.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

#include <rondo/http/authority.hpp>
#include <rondo/http/h1/head_reader.hpp>
#include <rondo/http/h1/request_fields.hpp>
#include <rondo/http/h1/scanner.hpp>

namespace rondo::http::h1 {
namespace {

constexpr int max_leading_lines = 2;
constexpr std::string_view version_prefix = "HTTP/";
constexpr std::ptrdiff_t version_size = 8;

template <class Scanner>
class head_parser : head_reader<Scanner, head_parser<Scanner>> {
    using base = head_reader<Scanner, head_parser<Scanner>>;
    using base::base_, base::end_, base::limits_, base::p_, base::stop_;
    using base::field_lines, base::make_slice, base::set_limit, base::fail, base::incomplete_or;
    using typename base::step;

public:
    head_parser(std::string_view bytes, const parse_limits& limits, std::span<field_ref> storage,
                request_head& out) noexcept
        : base(bytes, limits, storage), out_(out) {}

    [[nodiscard]] step parse() noexcept {
        if (const step s = leading_lines(); !s) return s;
        if (const step s = request_line(); !s) return s;
        if (const step s = field_lines(fields_, out_.fields); !s) return s;
        out_.size = static_cast<std::uint32_t>(p_ - base_);
        return finish();
    }

private:
    // A line end at p_, which points to CR.
    [[nodiscard]] step line_end(parse_error too_long) noexcept {
        if (stop_ - p_ < 2) return incomplete_or(too_long);
        if (p_[1] != '\n') return fail(parse_error::bad_line_end);
        p_ += 2;
        return {};
    }

    [[nodiscard]] step leading_lines() noexcept {
        stop_ = end_;
        for (int lines = 0; p_ != end_ && *p_ == '\r'; ++lines) {
            if (lines == max_leading_lines) return fail(parse_error::bad_line_end);
            if (const step s = line_end(parse_error::incomplete); !s) return s;
        }
        return {};
    }

    [[nodiscard]] step request_line() noexcept {
        set_limit(std::size_t{limits_.request_line} + 2);
        if (const step s = method_token(); !s) return s;
        if (const step s = target(); !s) return s;
        if (const step s = version(); !s) return s;
        return classify_target();
    }

    [[nodiscard]] step method_token() noexcept {
        const char* const start = p_;
        if (stop_ - p_ >= 4 && std::memcmp(p_, "GET ", 4) == 0) {
            p_ += 3;
            out_.method = method::get;
        } else {
            while (p_ != stop_ && characters::is(*p_, characters::token)) ++p_;
            if (p_ == stop_) return incomplete_or(parse_error::uri_too_long);
            if (p_ == start || *p_ != ' ') return fail(parse_error::bad_method);
            out_.method = parse_method({start, p_});
        }
        out_.method_text = make_slice(start, p_);
        ++p_;
        return {};
    }

    // Any text up to the space: browsers send more than RFC 3986 allows (the URL Standard), other clients raw UTF-8.
    // Its form is determined when the line is complete.
    [[nodiscard]] step target() noexcept {
        const char* const start = p_;
        const Scanner scan(base_, end_);
        question_ = nullptr;
        for (;; ++p_) {
            p_ = scan.end_of_target(p_, stop_);
            if (p_ == stop_) return incomplete_or(parse_error::uri_too_long);
            if (*p_ == ' ') break;
            if (*p_ == '?') {
                if (question_ == nullptr) question_ = p_;
            } else if (*p_ == '%') {
                // In a query a '%' may be literal; in a path its meaning would be ambiguous.
                if (question_ != nullptr) continue;
                if (const step s = percent_escape(); !s) return s;
            } else {
                return fail(parse_error::bad_target);
            }
        }
        if (p_ == start) return fail(parse_error::bad_target);
        out_.target = make_slice(start, p_);
        ++p_;
        return {};
    }

    // Afterwards p_ points to the last digit.
    [[nodiscard]] step percent_escape() noexcept {
        for (int digit = 0; digit < 2; ++digit) {
            if (++p_ == stop_) return incomplete_or(parse_error::uri_too_long);
            if (!characters::is(*p_, characters::hex)) return fail(parse_error::bad_target);
        }
        return {};
    }

    [[nodiscard]] step version() noexcept {
        if (stop_ - p_ >= version_size + 2 && std::memcmp(p_, "HTTP/1.1\r\n", version_size + 2) == 0) {
            p_ += version_size + 2;
            out_.minor = 1;
            return {};
        }
        const char* const start = p_;
        for (; p_ - start < version_size; ++p_) {
            if (p_ == stop_) return incomplete_or(parse_error::uri_too_long);
            if (!version_byte(p_ - start)) return fail(parse_error::bad_version);
        }
        if (p_ == stop_) return incomplete_or(parse_error::uri_too_long);
        if (*p_ != '\r') return fail(*p_ == '\n' ? parse_error::bad_line_end : parse_error::bad_version);
        if (const step s = line_end(parse_error::uri_too_long); !s) return s;
        if (start[5] != '1') return fail(parse_error::version_not_supported);
        out_.minor = start[7] == '0' ? 0 : 1;
        return {};
    }

    [[nodiscard]] bool version_byte(std::ptrdiff_t index) const noexcept {
        if (index < 5) return *p_ == version_prefix[static_cast<std::size_t>(index)];
        return index == 6 ? *p_ == '.' : characters::is(*p_, characters::digit);
    }

    [[nodiscard]] step classify_target() noexcept {
        const char* const start = base_ + out_.target.offset;
        const char* const end = start + out_.target.size;
        const std::string_view text(start, end);
        out_.authority = {};
        out_.query = {};
        out_.has_query = false;
        if (out_.method == method::connect) return authority_form(text);
        if (*start == '/') {
            out_.form = target_form::origin;
            split(start, end);
            return {};
        }
        if (text == "*") {
            if (out_.method != method::options) return fail(parse_error::bad_target);
            out_.form = target_form::asterisk;
            out_.path = out_.target;
            return {};
        }
        return absolute_form(start, end);
    }

    [[nodiscard]] step authority_form(std::string_view text) noexcept {
        const auto parsed = parse_authority(text);
        if (!parsed || !parsed->port) return fail(parse_error::bad_target);
        out_.form = target_form::authority;
        out_.authority = out_.target;
        out_.path = {out_.target.offset, 0};
        return {};
    }

    [[nodiscard]] step absolute_form(const char* start, const char* end) noexcept {
        const std::string_view text(start, end);
        const std::size_t scheme = text.find("://");
        if (scheme == std::string_view::npos) return fail(parse_error::bad_target);
        const std::string_view name = text.substr(0, scheme);
        if (!equals_ignore_case(name, "http") && !equals_ignore_case(name, "https")) {
            return fail(parse_error::bad_target);
        }
        const char* const host = start + scheme + 3;
        const char* const path = std::find_if(host, end, [](char c) { return c == '/' || c == '?'; });
        if (!is_valid_authority({host, path})) return fail(parse_error::bad_target);
        out_.form = target_form::absolute;
        out_.authority = make_slice(host, path);
        split(path, end);
        // An empty path means "/" (RFC 9110 section 4.2.3); use the one in front of the host.
        if (out_.path.size == 0) out_.path = make_slice(host - 1, host);
        return {};
    }

    void split(const char* path, const char* end) noexcept {
        out_.path = make_slice(path, question_ == nullptr ? end : question_);
        if (question_ == nullptr) return;
        out_.has_query = true;
        out_.query = make_slice(question_ + 1, end);
    }

    [[nodiscard]] step finish() noexcept {
        if (const step s = fields_.finish(out_); !s) return s;
        if (out_.form == target_form::origin || out_.form == target_form::asterisk) out_.authority = fields_.host();
        return {};
    }

    const char* question_ = nullptr;  // the first '?' of the target
    request_head& out_;
    request_fields fields_;
};

}  // namespace

std::expected<void, parse_error> parse_request_head(std::string_view bytes, const parse_limits& limits,
                                                    std::span<field_ref> storage, request_head& out) noexcept {
    if (bytes.size() < fast_scanner::min_size) return head_parser<scalar_scanner>(bytes, limits, storage, out).parse();
    return head_parser<fast_scanner>(bytes, limits, storage, out).parse();
}

int status_for(parse_error error) noexcept {
    switch (error) {
        case parse_error::incomplete: return 0;
        case parse_error::uri_too_long: return 414;
        case parse_error::fields_too_large: return 431;
        case parse_error::version_not_supported: return 505;
        case parse_error::unknown_transfer_coding: return 501;
        default: return 400;
    }
}

std::string_view to_string(parse_error error) noexcept {
    switch (error) {
        case parse_error::incomplete: return "incomplete";
        case parse_error::bad_line_end: return "bad line end";
        case parse_error::bad_method: return "bad method";
        case parse_error::bad_target: return "bad request target";
        case parse_error::bad_version: return "bad version";
        case parse_error::bad_field_name: return "bad field name";
        case parse_error::bad_field_value: return "bad field value";
        case parse_error::bad_host: return "bad host";
        case parse_error::bad_content_length: return "bad content length";
        case parse_error::bad_transfer_encoding: return "bad transfer encoding";
        case parse_error::uri_too_long: return "request line too long";
        case parse_error::fields_too_large: return "fields too large";
        case parse_error::version_not_supported: return "version not supported";
        case parse_error::unknown_transfer_coding: return "unknown transfer coding";
        case parse_error::bad_status: return "bad status code";
        case parse_error::status_line_too_long: return "status line too long";
    }
    std::unreachable();
}

}  // namespace rondo::http::h1
