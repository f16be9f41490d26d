// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/parameters.hpp>

#include <stdexcept>

namespace rondo::db {

void parameters::push(const parameter& p) {
    if (count_ < near_.size()) near_[count_] = p;
    else far_.push_back(p);
    ++count_;
    ++size_;
}

void parameters::push_bytes(parameter_kind kind, std::string_view bytes) {
    if (bytes.size() > std::numeric_limits<std::int32_t>::max())
        throw std::invalid_argument("a parameter of a statement is larger than 2 GiB: no database takes that");
    parameter p;
    p.kind = kind;
    p.size = static_cast<std::uint32_t>(bytes.size());
    p.offset = store_.size();
    store_.append(bytes);
    push(p);
}

void parameters::add_large(std::uint64_t value) { push_bytes(parameter_kind::text, std::to_string(value)); }

void parameters::add(const codec::json_value& json) { push_bytes(parameter_kind::json, codec::to_string(json)); }

}  // namespace rondo::db
