// SPDX-License-Identifier: Apache-2.0
// Path patterns of routes, checked against the view's signature at compile time.
#pragma once

#include <array>
#include <cstddef>
#include <source_location>
#include <string_view>

#include <rondo/web/routing/convert.hpp>
#include <rondo/web/routing/view.hpp>

/// Functions that the compiler names in its error when a path is invalid or does not match its view; each name is the
/// explanation.
namespace rondo::path_error {

void a_path_must_start_with_a_slash();
void a_parameter_must_be_a_whole_segment_in_angle_brackets();
void a_parameter_name_must_consist_of_letters_digits_and_underscores();
void two_parameters_have_the_same_name();
void a_path_must_not_contain_a_question_mark_a_hash_or_white_space();
void a_path_parameter_must_be_the_last_segment();
void a_path_must_have_at_most_16_parameters();
void a_mount_prefix_must_not_have_parameters_or_a_trailing_slash();
void the_view_takes_more_parameters_than_the_path_has();
void the_path_has_more_parameters_than_the_view_takes();
void the_path_converter_does_not_match_the_type_of_the_view_parameter();

}  // namespace rondo::path_error

namespace rondo::detail {

inline constexpr std::size_t max_parameters = 16;

/// One segment of a pattern: literal text or a parameter.
struct pattern_segment {
    std::string_view text;       ///< empty for a parameter
    std::string_view converter;  ///< empty for literal text
    std::string_view name;
};

constexpr bool is_name(std::string_view text) noexcept {
    if (text.empty()) return false;
    for (const char c : text) {
        const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!word) return false;
    }
    return true;
}

constexpr pattern_segment parse_segment(std::string_view text) {
    if (text.find_first_of("<>") == std::string_view::npos) return {text, {}, {}};
    if (text.front() != '<' || text.find('>') != text.size() - 1 || text.rfind('<') != 0) {
        path_error::a_parameter_must_be_a_whole_segment_in_angle_brackets();
    }
    text = text.substr(1, text.size() - 2);
    const std::size_t colon = text.find(':');
    const bool default_converter = colon == std::string_view::npos;
    const std::string_view name = default_converter ? text : text.substr(colon + 1);
    const std::string_view converter = default_converter ? std::string_view("str") : text.substr(0, colon);
    if (!is_name(name) || !is_name(converter))
        path_error::a_parameter_name_must_consist_of_letters_digits_and_underscores();
    return {{}, converter, name};
}

/// Calls `f(pattern_segment)` for each segment of a pattern.
template <class F>
constexpr void for_each_segment(std::string_view pattern, F&& f) {
    std::size_t at = 1;
    while (at <= pattern.size()) {
        const std::size_t slash = pattern.find('/', at);
        const std::size_t end = slash == std::string_view::npos ? pattern.size() : slash;
        f(parse_segment(pattern.substr(at, end - at)));
        at = end + 1;
    }
}

/// The parameters of a pattern, which the constructor validates.
struct pattern_parameters {
    std::array<pattern_segment, max_parameters> items{};
    std::size_t count = 0;

    constexpr explicit pattern_parameters(std::string_view pattern) {
        if (pattern.empty() || pattern.front() != '/') path_error::a_path_must_start_with_a_slash();
        if (pattern.find_first_of("?# \t\r\n") != std::string_view::npos) {
            path_error::a_path_must_not_contain_a_question_mark_a_hash_or_white_space();
        }
        bool ended = false;
        for_each_segment(pattern, [&](const pattern_segment& segment) {
            if (ended) path_error::a_path_parameter_must_be_the_last_segment();
            if (segment.converter.empty()) return;
            ended = segment.converter == "path";
            add(segment);
        });
    }

private:
    constexpr void add(const pattern_segment& segment) {
        if (count == max_parameters) path_error::a_path_must_have_at_most_16_parameters();
        for (std::size_t i = 0; i < count; ++i) {
            if (items[i].name == segment.name) path_error::two_parameters_have_the_same_name();
        }
        items[count++] = segment;
    }
};

/// Whether the converter produces values for a view parameter of type T.
template <class T>
constexpr bool converter_matches(std::string_view converter) noexcept {
    if constexpr (has_path_converter<T>) {
        return converter == path_converter<T>::name;
    } else if constexpr (text_like<T>) {
        return converter == "str" || converter == "slug" || converter == "uuid" || converter == "path";
    } else if constexpr (std::floating_point<T>) {
        return converter == "float";
    } else if constexpr (std::unsigned_integral<T>) {
        return converter == "uint";
    } else {
        return converter == "int" || converter == "uint";
    }
}

template <class... T>
consteval void check_pattern(const pattern_parameters& pattern, parameter_list<T...>) {
    static_assert((check_view_parameter<T>() && ...));
    if (pattern.count < sizeof...(T)) path_error::the_view_takes_more_parameters_than_the_path_has();
    if (pattern.count > sizeof...(T)) path_error::the_path_has_more_parameters_than_the_view_takes();
    std::size_t i = 0;
    if (!(converter_matches<T>(pattern.items[i++].converter) && ...)) {
        path_error::the_path_converter_does_not_match_the_type_of_the_view_parameter();
    }
}

}  // namespace rondo::detail

namespace rondo {

/// The path of a route: a string literal, checked against the view's signature at compile time.
/// "/articles/<int:year>/<slug:name>" matches a view (request&, int, std::string_view).
///
///     converter       matches                                view parameter
///     int             ['-'] digits                           signed integer
///     uint            digits                                 integer
///     float           ['-'] digits ['.' digits]              double, float
///     slug            letters, digits, '-', '_'              std::string_view, std::string
///     uuid            8-4-4-4-12 hex digits                  std::string_view, std::string
///     str, `<name>`   one segment                            std::string_view, std::string
///     path            the rest of the path, with slashes     std::string_view, std::string
///     custom          see path_converter                     its type
template <class View>
class path_for {
public:
    consteval path_for(const char* pattern, std::source_location location = std::source_location::current())
        : pattern_(pattern), location_(location) {
        detail::check_pattern(detail::pattern_parameters(pattern_), detail::parameters_of<View>{});
    }

    [[nodiscard]] constexpr std::string_view pattern() const noexcept { return pattern_; }
    [[nodiscard]] constexpr const std::source_location& location() const noexcept { return location_; }

private:
    std::string_view pattern_;
    std::source_location location_;
};

/// The prefix under which an application is mounted: "/api".
class path_prefix {
public:
    consteval path_prefix(const char* prefix) : text_(prefix) {
        if (detail::pattern_parameters(text_).count != 0 || text_.back() == '/') {
            path_error::a_mount_prefix_must_not_have_parameters_or_a_trailing_slash();
        }
    }
    [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }

private:
    std::string_view text_;
};

}  // namespace rondo
