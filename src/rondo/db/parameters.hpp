// SPDX-License-Identifier: Apache-2.0
// The values of a statement's parameters ($1, $2, ...).
#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <rondo/codec/json.hpp>
#include <rondo/db/timestamp_text.hpp>

namespace rondo::db {

/// large: an integer beyond std::int64_t.
enum class parameter_kind : std::uint8_t { null, boolean, integer, large, real, text, bytes, time, json, array };

/// One value, or the head of an array, followed by `size` entries: its elements.
struct parameter {
    parameter_kind kind = parameter_kind::null;
    std::uint32_t size = 0;  ///< bytes of text, bytes and json; elements of an array
    union {
        std::int64_t integer = 0;  ///< boolean, integer, time (microseconds since 1970)
        std::uint64_t large;
        double real;
        std::size_t offset;  ///< text, bytes, json: position in the store
    };
};

/// The values for $1, $2, ... of a statement, copied. Accepts integers, floating-point numbers, bool, text (also for
/// numeric, uuid, enums and other types that a database writes as text), bytes (std::vector<std::byte> or a span),
/// std::chrono::system_clock times, codec::json_value, nullptr or std::nullopt for null, std::optional of any of these,
/// and std::vector of them as an array.
class parameters {
public:
    template <class... Values>
    explicit parameters(const Values&... values) {
        (add(values), ...);
    }

    void add(std::nullptr_t) { push({}); }
    void add(std::nullopt_t) { push({}); }
    void add(std::same_as<bool> auto value) { push_integer(parameter_kind::boolean, value); }
    template <std::integral Integer>
        requires(!std::same_as<Integer, bool>)
    void add(Integer value) {
        if (std::in_range<std::int64_t>(value)) push_integer(parameter_kind::integer, static_cast<std::int64_t>(value));
        else push_large(static_cast<std::uint64_t>(value));
    }
    void add(std::floating_point auto value) {
        parameter p;
        p.kind = parameter_kind::real;
        p.real = value;
        push(p);
    }
    void add(std::string_view text) { push_bytes(parameter_kind::text, text); }
    void add(const std::string& text) { add(std::string_view(text)); }
    void add(const char* text) { add(std::string_view(text)); }
    void add(std::span<const std::byte> bytes) {
        push_bytes(parameter_kind::bytes, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
    void add(const std::vector<std::byte>& bytes) { add(std::span<const std::byte>(bytes)); }
    template <class Duration>
    void add(std::chrono::sys_time<Duration> at) {
        using wide = std::chrono::duration<long double, std::micro>;
        using fine = std::chrono::microseconds;
        const long double count = wide(at.time_since_epoch()).count();  // out of range: rejected when it is sent
        if (count >= wide(fine::max()).count()) return push_integer(parameter_kind::time, fine::max().count());
        if (count <= wide(fine::min()).count()) return push_integer(parameter_kind::time, fine::min().count());
        push_integer(parameter_kind::time, std::chrono::floor<fine>(at).time_since_epoch().count());
    }
    /// Throws error for values that JSON cannot express: NaN, infinities, texts that are not UTF-8.
    void add(const codec::json_value& json);
    template <class T>
    void add(const std::optional<T>& value) {
        if (value) add(*value);
        else add(nullptr);
    }
    template <class T>
    void add(const std::vector<T>& elements) {
        parameter head;
        head.kind = parameter_kind::array;
        head.size = static_cast<std::uint32_t>(elements.size());
        push(head);
        for (const T& element : elements) add(element);
        size_ -= elements.size();
    }

    /// Number of values; an array counts as one.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// Number of entries, including the elements of arrays.
    [[nodiscard]] std::size_t entry_count() const noexcept { return count_; }
    [[nodiscard]] const parameter& operator[](std::size_t entry) const noexcept {
        return entry < inline_.size() ? inline_[entry] : overflow_[entry - inline_.size()];
    }
    /// The content of a text, bytes or json entry.
    [[nodiscard]] std::string_view bytes(const parameter& p) const noexcept {
        return std::string_view(store_).substr(p.offset, p.size);
    }

private:
    void push(const parameter& p);
    void push_integer(parameter_kind kind, std::int64_t value) {
        parameter p;
        p.kind = kind;
        p.integer = value;
        push(p);
    }
    void push_bytes(parameter_kind kind, std::string_view bytes);
    void push_large(std::uint64_t value);

    std::array<parameter, 6> inline_;
    std::vector<parameter> overflow_;
    std::string store_;
    std::size_t count_ = 0;
    std::size_t size_ = 0;
};

}  // namespace rondo::db
