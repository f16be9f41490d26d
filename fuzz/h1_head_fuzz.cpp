// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <rondo/http/authority.hpp>
#include <rondo/http/h1/request_parser.hpp>
#include <rondo/http/h1/scanner.hpp>

#include "check.hpp"

namespace {

using namespace rondo::http;
using rondo::fuzz::check;

constexpr h1::parse_limits limits{.request_line = 300, .fields_bytes = 2000, .fields = 20};

struct parsed {
    explicit parsed(std::string_view text) : result(h1::parse_request_head(text, limits, storage, head)) {}

    std::array<field_ref, 20> storage{};
    h1::request_head head{};
    std::expected<void, h1::parse_error> result;
};

bool is_inside(slice part, std::size_t size) { return part.offset <= size && part.size <= size - part.offset; }

void check_accepted(std::string_view text, const h1::request_head& head) {
    check(head.size <= text.size() && text.substr(0, head.size).ends_with("\r\n\r\n"));
    for (const slice part : {head.method_text, head.target, head.authority, head.path, head.query}) {
        check(is_inside(part, head.size));
    }
    for (const field_ref& ref : head.fields) check(is_inside(ref.name, head.size) && is_inside(ref.value, head.size));
    const char* const base = text.data();
    for (const field line : head.view(base)) check(is_valid_field_name(line.name) && is_valid_field_value(line.value));
    check(is_valid_token(head.method_text.view(base)));
    check(head.minor == 0 || head.view(base).count("host") == 1);
    check(head.authority.size == 0 || parse_authority(head.authority.view(base)));
    check(head.body != h1::framing::chunked || !head.view(base).contains("content-length"));
    check(head.body == h1::framing::length || head.content_length == 0);
}

// The parsed head, written again, must parse to the same.
void check_round_trip(std::string_view text, const h1::request_head& head) {
    const char* const base = text.data();
    std::string written(head.method_text.view(base));
    written += ' ';
    written += head.target.view(base);
    written += head.minor == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
    for (const field line : head.view(base)) (((written += line.name) += ':') += line.value) += "\r\n";
    written += "\r\n";
    const parsed second(written);
    check(second.result.has_value());
    check(second.head.size == written.size());
    check(second.head.method == head.method && second.head.form == head.form && second.head.minor == head.minor);
    check(second.head.body == head.body && second.head.content_length == head.content_length);
    check(second.head.keep_alive == head.keep_alive && second.head.expect == head.expect);
    check(second.head.upgrade == head.upgrade && second.head.has_query == head.has_query);
    check(second.head.authority.view(written.data()) == head.authority.view(base));
    check(second.head.path.view(written.data()) == head.path.view(base));
    check(second.head.query.view(written.data()) == head.query.view(base));
    check(std::ranges::equal(second.head.view(written.data()), head.view(base)));
}

void check_prefixes(std::string_view text, const parsed& whole) {
    for (std::size_t size = 0; size < text.size(); size += 1 + text.size() / 64) {
        const parsed part(text.substr(0, size));
        if (part.result) {
            check(whole.result && part.head.size == whole.head.size);
        } else if (part.result.error() != h1::parse_error::incomplete) {
            check(!whole.result && whole.result.error() == part.result.error());
        }
    }
}

template <class Scanner>
std::vector<const char*> controls(std::string_view text) {
    const char* const end = text.data() + text.size();
    Scanner scan(text.data(), end);
    std::vector<const char*> found;
    for (const char* p = text.data();; ++p) {
        p = scan.find_control(p, end);
        found.push_back(p);
        if (p == end) return found;
    }
}

void check_scanners(std::string_view text) {
    if (text.size() < h1::fast_scanner::min_size) return;
    check(controls<h1::fast_scanner>(text) == controls<h1::scalar_scanner>(text));
    const char* const end = text.data() + text.size();
    const h1::fast_scanner fast(text.data(), end);
    const h1::scalar_scanner slow(text.data(), end);
    for (const char* p = text.data(); p != end; ++p) {
        check(fast.end_of_target(p, end) == slow.end_of_target(p, end));
        if (*p == ':') check(fast.end_of_name(text.data()) == slow.end_of_name(text.data()));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = rondo::fuzz::as_text(data, size);
    const parsed whole(text);
    if (whole.result) {
        check_accepted(text, whole.head);
        check_round_trip(text, whole.head);
    } else {
        const int status = h1::status_for(whole.result.error());
        check(status == 0 || (status >= 400 && status < 600));
    }
    check_prefixes(text, whole);
    check_scanners(text);
    return 0;
}
