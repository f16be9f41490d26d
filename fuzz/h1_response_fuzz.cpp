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
    parsed(std::string_view text, method request_method)
        : result(h1::parse_response_head(text, request_method, limits, storage, head)) {}

    std::array<field_ref, 20> storage{};
    h1::received_head head{};
    std::expected<void, h1::parse_error> result;
};

bool is_inside(slice part, std::size_t size) { return part.offset <= size && part.size <= size - part.offset; }

void check_accepted(std::string_view text, const h1::received_head& head, method request_method) {
    check(head.size <= text.size() && text.substr(0, head.size).ends_with("\r\n\r\n"));
    check(is_inside(head.reason, head.size));
    for (const field_ref& ref : head.fields) check(is_inside(ref.name, head.size) && is_inside(ref.value, head.size));
    const fields_view view = head.view(text.data());
    for (const field line : view) check(is_valid_field_name(line.name) && is_valid_field_value(line.value));
    check(to_int(head.code) >= 100 && to_int(head.code) <= 999);
    check(head.has_content_length == view.contains("content-length"));
    check(!(view.contains("content-length") && view.contains("transfer-encoding")));
    check(head.body != h1::response_framing::until_close || !head.keep_alive);
    check(request_method != method::head || head.body == h1::response_framing::none || to_int(head.code) == 101);
}

// The parsed head, written again, must parse to the same.
void check_round_trip(std::string_view text, const h1::received_head& head, method request_method) {
    std::string written = head.minor == 0 ? "HTTP/1.0 " : "HTTP/1.1 ";
    written += std::to_string(to_int(head.code)) + ' ';
    written += head.reason.view(text.data());
    written += "\r\n";
    for (const field line : head.view(text.data())) (((written += line.name) += ':') += line.value) += "\r\n";
    written += "\r\n";
    const parsed second(written, request_method);
    check(second.result.has_value() && second.head.size == written.size());
    check(second.head.code == head.code && second.head.body == head.body && second.head.minor == head.minor);
    check(second.head.content_length == head.content_length && second.head.keep_alive == head.keep_alive);
    check(std::ranges::equal(second.head.view(written.data()), head.view(text.data())));
}

}  // namespace

// The first byte chooses the request method.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const method request_method = data[0] == 'H' ? method::head : data[0] == 'C' ? method::connect : method::get;
    const std::string_view text = rondo::fuzz::as_text(data + 1, size - 1);
    const parsed whole(text, request_method);
    if (whole.result) {
        check_accepted(text, whole.head, request_method);
        check_round_trip(text, whole.head, request_method);
    }
    for (std::size_t cut = 0; cut < text.size(); cut += 1 + text.size() / 64) {
        const parsed part(text.substr(0, cut), request_method);
        if (part.result) check(whole.result && part.head.size == whole.head.size);
        else if (part.result.error() != h1::parse_error::incomplete)
            check(!whole.result && whole.result.error() == part.result.error());
    }
    return 0;
}
