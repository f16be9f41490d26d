// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <rondo/http/multipart.hpp>

#include "check.hpp"

namespace {

using rondo::fuzz::check;
using rondo::fuzz::cutter;
using parser = rondo::http::multipart_parser;
using event = parser::event;

constexpr rondo::http::multipart_limits limits{.parts = 8, .head_bytes = 300};

// The events as text, with adjacent data joined.
struct reading {
    parser p{"XX", limits};
    std::string events;
    bool in_part = false;

    bool feed(std::string_view piece) {
        for (;;) {
            const auto result = p.parse(piece);
            check(result.consumed <= piece.size());
            piece.remove_prefix(result.consumed);
            note(result);
            if (result.kind == event::need_more) {
                check(piece.empty());
                return true;
            }
            if (result.kind == event::done || result.kind == event::error) return false;
        }
    }

    void note(const parser::result& result) {
        if (result.kind == event::part_begin) {
            check(!in_part);
            in_part = true;
            events += "\n<" + p.part().name + "|" + p.part().filename.value_or("-") + "|" + p.part().content_type + ">";
        } else if (result.kind == event::part_data) {
            check(in_part && !result.data.empty());
            events += result.data;
        } else if (result.kind == event::part_end) {
            check(in_part);
            in_part = false;
            events += "</>";
        } else if (result.kind == event::error) {
            events += "error " + std::to_string(static_cast<int>(p.error()));
        }
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text = rondo::fuzz::as_text(data + 1, size - 1);
    reading whole;
    whole.feed(text);
    reading cut;
    for (cutter pieces(text, data[0]); !pieces.empty();) {
        if (!cut.feed(pieces.next())) break;
    }
    check(cut.events == whole.events);
    check(cut.p.done() == whole.p.done());
    return 0;
}
