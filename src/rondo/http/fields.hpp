// SPDX-License-Identifier: Apache-2.0
// The header fields of messages: views of received ones, and an owning list to send.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

namespace rondo::http {

/// A part of a text as an offset and size: stays valid when the text is copied.
struct slice {
    std::uint32_t offset = 0;
    std::uint32_t size = 0;

    [[nodiscard]] constexpr std::string_view view(const char* base) const noexcept { return {base + offset, size}; }
    friend constexpr bool operator==(slice, slice) = default;
};

/// One field line of a parsed head. The value is trimmed.
struct field_ref {
    slice name;
    slice value;
    friend constexpr bool operator==(field_ref, field_ref) = default;
};

struct field {
    std::string_view name;
    std::string_view value;
    friend constexpr bool operator==(field, field) = default;
};

/// One or more tchar (RFC 9110 section 5.6.2).
[[nodiscard]] bool is_valid_token(std::string_view) noexcept;
[[nodiscard]] inline bool is_valid_field_name(std::string_view name) noexcept { return is_valid_token(name); }

/// HTAB, 0x20-0x7E and 0x80-0xFF, without white space at either end; the empty value is valid (RFC 9110 section 5.5).
[[nodiscard]] bool is_valid_field_value(std::string_view) noexcept;

/// Compares ASCII letters case-insensitively, other bytes exactly.
[[nodiscard]] bool equals_ignore_case(std::string_view a, std::string_view b) noexcept;

/// Removes leading spaces and tabs.
void skip_spaces(std::string_view& text) noexcept;

/// Returns `text` without leading and trailing spaces and tabs (OWS).
[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept;

/// Returns true when the comma-separated list contains the token, compared case-insensitively. Skips empty elements
/// (RFC 9110 section 5.6.1).
[[nodiscard]] bool list_contains(std::string_view list, std::string_view token) noexcept;

/// Returns true for the fields that frame a message or concern a single connection: Connection, Content-Length,
/// Keep-Alive, Proxy-Connection, TE, Trailer, Transfer-Encoding, Upgrade. Written by the server, not by applications.
[[nodiscard]] bool is_connection_field(std::string_view name) noexcept;

/// The fields of a received head, in order: views into the bytes at `base`, which must outlive it.
class fields_view {
public:
    class iterator {
    public:
        using value_type = field;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;
        using reference = field;
        using pointer = void;

        iterator() = default;
        iterator(const char* base, const field_ref* position) noexcept : base_(base), current_(position) {}
        [[nodiscard]] field operator*() const noexcept {
            return {current_->name.view(base_), current_->value.view(base_)};
        }
        iterator& operator++() noexcept { return ++current_, *this; }
        iterator operator++(int) noexcept { return {base_, current_++}; }
        friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.current_ == b.current_; }

    private:
        const char* base_ = nullptr;
        const field_ref* current_ = nullptr;
    };

    /// The values of all lines with one name, in order; a range of std::string_view.
    class values;

    fields_view() = default;
    fields_view(const char* base, std::span<const field_ref> refs) noexcept : base_(base), refs_(refs) {}

    [[nodiscard]] std::size_t size() const noexcept { return refs_.size(); }
    [[nodiscard]] bool empty() const noexcept { return refs_.empty(); }
    [[nodiscard]] iterator begin() const noexcept { return {base_, refs_.data()}; }
    [[nodiscard]] iterator end() const noexcept { return {base_, refs_.data() + refs_.size()}; }
    [[nodiscard]] field operator[](std::size_t i) const noexcept {
        return {refs_[i].name.view(base_), refs_[i].value.view(base_)};
    }

    /// Returns the value of the first line with this name, compared case-insensitively.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
    [[nodiscard]] bool contains(std::string_view name) const noexcept { return find(name).has_value(); }
    [[nodiscard]] std::size_t count(std::string_view name) const noexcept;
    [[nodiscard]] values find_all(std::string_view name) const noexcept;
    /// Returns true when a comma-separated list of the lines with this name contains the token.
    [[nodiscard]] bool contains_token(std::string_view name, std::string_view token) const noexcept;

private:
    const char* base_ = nullptr;
    std::span<const field_ref> refs_;
};

class fields_view::values {
public:
    class iterator {
    public:
        using value_type = std::string_view;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;
        using reference = std::string_view;
        using pointer = void;

        iterator() = default;
        iterator(fields_view::iterator position, fields_view::iterator end, std::string_view name) noexcept;
        [[nodiscard]] std::string_view operator*() const noexcept { return (*current_).value; }
        iterator& operator++() noexcept;
        iterator operator++(int) noexcept;
        friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.current_ == b.current_; }

    private:
        void skip_to_match() noexcept;

        fields_view::iterator current_, end_;
        std::string_view name_;
    };

    values(fields_view fields, std::string_view name) noexcept : fields_(fields), name_(name) {}
    [[nodiscard]] iterator begin() const noexcept { return {fields_.begin(), fields_.end(), name_}; }
    [[nodiscard]] iterator end() const noexcept { return {fields_.end(), fields_.end(), name_}; }

private:
    fields_view fields_;
    std::string_view name_;
};

/// The fields of a message to send: ordered, with case-insensitive names that may repeat. The size of one pointer;
/// allocates with the first field. Stored in wire format. Views into it are valid until the next change.
class fields {
public:
    class iterator {
    public:
        using value_type = field;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;
        using reference = field;
        using pointer = void;

        iterator() = default;
        explicit iterator(std::string_view remaining) noexcept : remaining_(remaining) { read(); }
        [[nodiscard]] field operator*() const noexcept { return current_; }
        iterator& operator++() noexcept;
        iterator operator++(int) noexcept;
        friend bool operator==(const iterator& a, const iterator& b) noexcept {
            return a.remaining_.size() == b.remaining_.size();
        }

    private:
        void read() noexcept;

        std::string_view remaining_;
        field current_;
    };

    fields() = default;
    fields(const fields&);
    fields(fields&& from) noexcept : block_(from.block_) { from.block_ = nullptr; }
    fields& operator=(const fields&);
    fields& operator=(fields&& from) noexcept;
    ~fields() {
        if (block_ != nullptr) release(block_);
    }

    /// Adds a line and trims the value. Throws std::invalid_argument when the name is not a token or the value contains
    /// CR, LF, NUL or another control byte, and std::length_error when the fields would exceed 1 GiB.
    void add(std::string_view name, std::string_view value);
    /// Replaces all lines of this name by one.
    void set(std::string_view name, std::string_view value);
    /// Returns the number of lines removed.
    std::size_t remove(std::string_view name);
    void clear() noexcept;

    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
    [[nodiscard]] bool contains(std::string_view name) const noexcept { return find(name).has_value(); }
    [[nodiscard]] std::size_t count(std::string_view name) const noexcept;
    [[nodiscard]] std::size_t size() const noexcept;
    [[nodiscard]] bool empty() const noexcept { return wire().empty(); }
    [[nodiscard]] iterator begin() const noexcept { return iterator(wire()); }
    [[nodiscard]] iterator end() const noexcept { return iterator(); }

    /// All lines in wire format, `Name: value CRLF` each, without the final blank line.
    [[nodiscard]] std::string_view wire() const noexcept;

private:
    struct block {
        std::uint32_t size;
        std::uint32_t capacity;
        [[nodiscard]] char* bytes() noexcept { return reinterpret_cast<char*>(this + 1); }
    };

    [[nodiscard]] static block* allocate(std::size_t capacity);
    static void release(block*) noexcept;

    block* block_ = nullptr;
};

inline std::string_view fields::wire() const noexcept {
    return block_ == nullptr ? std::string_view() : std::string_view(block_->bytes(), block_->size);
}

}  // namespace rondo::http
