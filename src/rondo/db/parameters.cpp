// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/parameters.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <rondo/base/utf8.hpp>
#include <rondo/db/error.hpp>

namespace rondo::db {

namespace {

// Whether JSON can express the value: codec::to_string() replaces what it cannot.
bool is_json_expressible(const codec::json_value& value) {
    if (const std::string* text = value.if_string()) return is_valid_utf8(*text);
    if (const auto* elements = value.if_array()) return std::ranges::all_of(*elements, is_json_expressible);
    if (const auto* members = value.if_object())
        return std::ranges::all_of(*members, [](const codec::json_member& m) {
            return is_valid_utf8(m.name) && is_json_expressible(m.value);
        });
    const std::optional<double> number = value.if_number();
    return !number || std::isfinite(*number);
}

}  // namespace

void parameters::push(const parameter& p) {
    if (count_ < inline_.size()) inline_[count_] = p;
    else overflow_.push_back(p);
    ++count_;
    ++size_;
}

void parameters::push_bytes(parameter_kind kind, std::string_view bytes) {
    if (bytes.size() > std::numeric_limits<std::int32_t>::max())
        throw std::invalid_argument("a statement parameter is larger than 2 GiB, the limit of every database");
    parameter p;
    p.kind = kind;
    p.size = static_cast<std::uint32_t>(bytes.size());
    p.offset = store_.size();
    store_.append(bytes);
    push(p);
}

void parameters::push_large(std::uint64_t value) {
    parameter p;
    p.kind = parameter_kind::large;
    p.large = value;
    push(p);
}

void parameters::add(const codec::json_value& json) {
    if (!is_json_expressible(json))
        throw error("a JSON parameter contains NaN, an infinity or text that is not UTF-8, which JSON cannot express");
    push_bytes(parameter_kind::json, codec::to_string(json));
}

}  // namespace rondo::db
