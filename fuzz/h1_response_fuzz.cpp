// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string>

#include <rondo/http/h1/response_parser.hpp>

#include "check.hpp"

namespace {

using namespace rondo::http;
using rondo::fuzz::check;

constexpr h1::parse_limits limits{.request_line = 300, .fields_bytes = 2000, .fields = 20};

struct parsed {
    parsed(std::string_view text, method asked) : result(h1::parse_response_head(text, asked, limits, storage, head)) {}

    std::array<field_ref, 20> storage{};
    h1::received_head head{};
    std::expected<void, h1::parse_error> result;
};

bool is_inside(slice part, std::size_t size) { return part.at <= size && part.size <= size - part.at; }

void check_accepted(std::string_view text, const h1::received_head& head, method asked) {
    check(head.size <= text.size() && text.substr(0, head.size).ends_with("\r\n\r\n"));
    check(is_inside(head.reason, head.size));
    for (const field_ref& ref : head.fields) check(is_inside(ref.name, head.size) && is_inside(ref.value, head.size));
    const fields_view view = head.view(text.data());
    for (const field line : view) check(valid_field_name(line.name) && valid_field_value(line.value));
    check(to_int(head.code) >= 100 && to_int(head.code) <= 999);
    check(head.has_content_length == view.contains("content-length"));
    check(!(view.contains("content-length") && view.contains("transfer-encoding")));
    check(head.body != h1::response_framing::until_close || !head.keep_alive);
    check(asked != method::head || head.body == h1::response_framing::none || to_int(head.code) == 101);
}

// What was understood, written anew, is understood the same.
void check_written_anew(std::string_view text, const h1::received_head& head, method asked) {
    std::string again = head.minor == 0 ? "HTTP/1.0 " : "HTTP/1.1 ";
    again += std::to_string(to_int(head.code)) + ' ';
    again += head.reason.in(text.data());
    again += "\r\n";
    for (const field line : head.view(text.data())) (((again += line.name) += ':') += line.value) += "\r\n";
    again += "\r\n";
    const parsed second(again, asked);
    check(second.result.has_value() && second.head.size == again.size());
    check(second.head.code == head.code && second.head.body == head.body && second.head.minor == head.minor);
    check(second.head.content_length == head.content_length && second.head.keep_alive == head.keep_alive);
    check(std::ranges::equal(second.head.view(again.data()), head.view(text.data())));
}

}  // namespace

// The first byte says what was asked.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const method asked = data[0] == 'H' ? method::head : data[0] == 'C' ? method::connect : method::get;
    const std::string_view text = rondo::fuzz::as_text(data + 1, size - 1);
    const parsed whole(text, asked);
    if (whole.result) {
        check_accepted(text, whole.head, asked);
        check_written_anew(text, whole.head, asked);
    }
    for (std::size_t cut = 0; cut < text.size(); cut += 1 + text.size() / 64) {
        const parsed part(text.substr(0, cut), asked);
        if (part.result) check(whole.result && part.head.size == whole.head.size);
        else if (part.result.error() != h1::parse_error::incomplete)
            check(!whole.result && whole.result.error() == part.result.error());
    }
    return 0;
}
