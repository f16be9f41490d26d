// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/fields.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include <rondo/http/characters.hpp>

namespace rondo::http {
namespace {

using characters::crlf;
using characters::is_space;

constexpr std::size_t max_fields_bytes = std::size_t{1} << 30;
constexpr std::string_view separator = ": ";

void check(std::string_view name, std::string_view value) {
    if (!is_valid_field_name(name)) {
        throw std::invalid_argument(
            "invalid field name; expected one or more letters, digits or any of !#$%&'*+-.^_`|~");
    }
    if (!is_valid_field_value(value)) {
        throw std::invalid_argument("the value of the field '" + std::string(name) +
                                    "' contains a control byte (CR, LF, NUL or another); remove or encode it");
    }
}

char* append(char* out, std::string_view text) noexcept {
    if (!text.empty()) std::memcpy(out, text.data(), text.size());
    return out + text.size();
}

}  // namespace

bool is_valid_token(std::string_view text) noexcept {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return characters::is(c, characters::token); });
}

bool is_valid_field_value(std::string_view text) noexcept {
    if (text.empty()) return true;
    if (is_space(text.front()) || is_space(text.back())) return false;
    return std::all_of(text.begin(), text.end(), [](char c) { return characters::is(c, characters::field_byte); });
}

bool equals_ignore_case(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
               return characters::to_lower(x) == characters::to_lower(y);
           });
}

void skip_spaces(std::string_view& text) noexcept {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
}

std::string_view trimmed(std::string_view text) noexcept {
    skip_spaces(text);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

bool list_contains(std::string_view list, std::string_view token) noexcept {
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        if (equals_ignore_case(trimmed(list.substr(0, comma)), token)) return true;
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return false;
}

bool is_connection_field(std::string_view name) noexcept {
    switch (name.size()) {
        case 2: return equals_ignore_case(name, "te");
        case 7: return equals_ignore_case(name, "trailer") || equals_ignore_case(name, "upgrade");
        case 10: return equals_ignore_case(name, "connection") || equals_ignore_case(name, "keep-alive");
        case 14: return equals_ignore_case(name, "content-length");
        case 16: return equals_ignore_case(name, "proxy-connection");
        case 17: return equals_ignore_case(name, "transfer-encoding");
        default: return false;
    }
}

std::optional<std::string_view> fields_view::find(std::string_view name) const noexcept {
    for (const field_ref& ref : refs_) {
        if (ref.name.size == name.size() && equals_ignore_case(ref.name.view(base_), name))
            return ref.value.view(base_);
    }
    return std::nullopt;
}

std::size_t fields_view::count(std::string_view name) const noexcept {
    const values found = find_all(name);
    return static_cast<std::size_t>(std::distance(found.begin(), found.end()));
}

fields_view::values fields_view::find_all(std::string_view name) const noexcept { return {*this, name}; }

bool fields_view::contains_token(std::string_view name, std::string_view token) const noexcept {
    for (const std::string_view value : find_all(name)) {
        if (list_contains(value, token)) return true;
    }
    return false;
}

fields_view::values::iterator::iterator(fields_view::iterator position, fields_view::iterator end,
                                        std::string_view name) noexcept
    : current_(position), end_(end), name_(name) {
    skip_to_match();
}

fields_view::values::iterator& fields_view::values::iterator::operator++() noexcept {
    ++current_;
    skip_to_match();
    return *this;
}

fields_view::values::iterator fields_view::values::iterator::operator++(int) noexcept {
    const iterator before = *this;
    ++*this;
    return before;
}

void fields_view::values::iterator::skip_to_match() noexcept {
    while (current_ != end_ && !equals_ignore_case((*current_).name, name_)) ++current_;
}

void fields::iterator::read() noexcept {
    if (remaining_.empty()) return;
    const std::size_t colon = remaining_.find(':');
    const std::size_t value = colon + separator.size();
    current_ = {remaining_.substr(0, colon), remaining_.substr(value, remaining_.find('\r', value) - value)};
}

fields::iterator& fields::iterator::operator++() noexcept {
    remaining_.remove_prefix(current_.name.size() + separator.size() + current_.value.size() + crlf.size());
    read();
    return *this;
}

fields::iterator fields::iterator::operator++(int) noexcept {
    const iterator before = *this;
    ++*this;
    return before;
}

fields::block* fields::allocate(std::size_t capacity) {
    void* const memory = ::operator new(sizeof(block) + capacity);
    return ::new (memory) block{0, static_cast<std::uint32_t>(capacity)};
}

fields::fields(const fields& from) {
    const std::string_view text = from.wire();
    if (text.empty()) return;
    block_ = allocate(text.size());
    append(block_->bytes(), text);
    block_->size = static_cast<std::uint32_t>(text.size());
}

fields& fields::operator=(const fields& from) {
    if (this != &from) *this = fields(from);
    return *this;
}

fields& fields::operator=(fields&& from) noexcept {
    std::swap(block_, from.block_);
    return *this;
}

void fields::release(block* memory) noexcept { ::operator delete(memory); }

void fields::add(std::string_view name, std::string_view value) {
    value = trimmed(value);
    check(name, value);
    const std::size_t before = wire().size();
    const std::size_t after = before + name.size() + value.size() + separator.size() + crlf.size();
    if (name.size() > max_fields_bytes || value.size() > max_fields_bytes || after > max_fields_bytes) {
        throw std::length_error("the fields of a message are limited to 1 GiB");
    }
    block* target = block_;
    if (target == nullptr || after > target->capacity) {
        target = allocate(std::max<std::size_t>(120, after + after / 2));
        append(target->bytes(), wire());
    }
    // The old block is released last: name and value may be views into it.
    char* out = append(target->bytes() + before, name);
    out = append(out, separator);
    out = append(out, value);
    append(out, crlf);
    target->size = static_cast<std::uint32_t>(after);
    if (target != block_) release(std::exchange(block_, target));
}

void fields::set(std::string_view name, std::string_view value) {
    value = trimmed(value);
    if (!contains(name)) return add(name, value);
    fields fresh;
    for (const field line : *this) {
        if (!equals_ignore_case(line.name, name)) fresh.add(line.name, line.value);
    }
    fresh.add(name, value);
    std::swap(block_, fresh.block_);
}

std::size_t fields::remove(std::string_view name) {
    const std::string_view text = wire();
    std::size_t removed = 0;
    char* out = block_ == nullptr ? nullptr : block_->bytes();
    const std::string removed_name(name);  // `name` may be a view into the bytes moved below
    for (iterator it(text); it != iterator();) {
        const field line = *it;
        const std::size_t size = line.name.size() + line.value.size() + separator.size() + crlf.size();
        const char* const from = line.name.data();
        ++it;
        if (equals_ignore_case(line.name, removed_name)) {
            ++removed;
            continue;
        }
        if (out != from) std::memmove(out, from, size);
        out += size;
    }
    if (block_ != nullptr) block_->size = static_cast<std::uint32_t>(out - block_->bytes());
    return removed;
}

void fields::clear() noexcept { release(std::exchange(block_, nullptr)); }

std::optional<std::string_view> fields::find(std::string_view name) const noexcept {
    for (const field line : *this) {
        if (equals_ignore_case(line.name, name)) return line.value;
    }
    return std::nullopt;
}

std::size_t fields::count(std::string_view name) const noexcept {
    return static_cast<std::size_t>(
        std::count_if(begin(), end(), [name](const field& line) { return equals_ignore_case(line.name, name); }));
}

std::size_t fields::size() const noexcept { return static_cast<std::size_t>(std::distance(begin(), end())); }

}  // namespace rondo::http
