// SPDX-License-Identifier: Apache-2.0
// Described structs (codec/describe.hpp) as JSON bodies, forms and responses.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <rondo/codec/describe.hpp>
#include <rondo/codec/json_struct.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/web/form.hpp>
#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>
#include <rondo/web/routing/convert.hpp>

namespace rondo {

/// Makes a response of type application/json from a described struct or a std::vector of them.
template <class T>
    requires codec::described<T>
[[nodiscard]] response json(const T& value) {
    return json_text(codec::to_json(value));
}
template <class T>
[[nodiscard]] response json(const std::vector<T>& values) {
    return json_text(codec::to_json(values));
}

/// An error in a form field, for display to the user.
struct form_problem {
    std::string name;
    std::string sentence;  ///< "is missing", "is not a whole number in range"
};

/// A form bound to a struct, with its validation errors.
template <class T>
struct filled_form {
    T value{};
    std::vector<form_problem> problems;

    [[nodiscard]] bool good() const noexcept { return problems.empty(); }
};

namespace detail {

/// Throws http_error 422 that lists the errors.
[[noreturn]] void refuse_form(const std::vector<form_problem>& problems);
[[noreturn]] void refuse_json(const codec::json_error& error);

template <class T>
void fill_field(const form_data& from, std::string_view name, T& into, std::vector<form_problem>& problems) {
    const auto text = from.field(name);
    if constexpr (std::is_same_v<T, bool>) {  // browsers do not send an unticked checkbox
        if (!text) return void(into = false);
    }
    if (!text) return problems.push_back({std::string(name), "is missing"});
    if (auto value = convert<T>(*text)) into = std::move(*value);
    else problems.push_back({std::string(name), "is not a " + std::string(kind_of_value<T>())});
}
template <class T>
void fill_field(const form_data& from, std::string_view name, std::optional<T>& into,
                std::vector<form_problem>& problems) {
    into.reset();
    if (from.value(name).empty()) return;
    fill_field(from, name, into.emplace(), problems);
}
template <class T>
void fill_field(const form_data& from, std::string_view name, std::vector<T>& into,
                std::vector<form_problem>& problems) {
    into.clear();
    for (const std::string_view text : from.all(name)) {
        if (auto value = convert<T>(text)) into.push_back(std::move(*value));
        else problems.push_back({std::string(name), "is not a " + std::string(kind_of_value<T>())});
    }
}

}  // namespace detail

/// Binds a form to a described struct, member by member. Members may be text, numbers, bool (false if not sent, like an
/// unticked checkbox) and types with a path_converter; a std::optional may be missing or empty; a std::vector receives
/// all values of its name. Other fields of the form are ignored.
template <codec::described T>
[[nodiscard]] filled_form<T> fill(const form_data& from) {
    filled_form<T> filled;
    codec::for_each_member(filled.value, [&](std::string_view name, auto& member) {
        detail::fill_field(from, name, member, filled.problems);
    });
    return filled;
}

/// Binds a form to a described struct. Throws http_error 422 that lists the errors.
template <codec::described T>
[[nodiscard]] T form_as(const form_data& from) {
    filled_form<T> filled = fill<T>(from);
    if (!filled.good()) detail::refuse_form(filled.problems);
    return std::move(filled.value);
}

/// Parses the JSON body of a request as a T: `auto order = co_await json_as<order>(req)`. Throws http_error 422 if it
/// does not match T, and what request::json() throws.
template <class T>
[[nodiscard]] task<T> json_as(request& req) {
    const codec::json_value body = co_await req.json();
    auto read = codec::read_json<T>(body);
    if (!read) detail::refuse_json(read.error());
    co_return std::move(*read);
}

}  // namespace rondo
