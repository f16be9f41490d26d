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
struct form_error {
    std::string name;
    std::string message;  ///< "is missing", "is not a whole number in range"
};

/// A form bound to a struct, with its validation errors.
template <class T>
struct bound_form {
    T value{};
    std::vector<form_error> errors;

    [[nodiscard]] bool is_valid() const noexcept { return errors.empty(); }
};

namespace detail {

/// Throws http_error 422 that lists the errors.
[[noreturn]] void reject_form(const std::vector<form_error>& errors);
[[noreturn]] void reject_json(const codec::json_error& error);

template <class T>
void bind_field(const form_data& from, std::string_view name, T& into, std::vector<form_error>& errors) {
    const auto text = from.field(name);
    if constexpr (std::is_same_v<T, bool>) {  // browsers do not send an unticked checkbox
        if (!text) return void(into = false);
    }
    if (!text) return errors.push_back({std::string(name), "is missing"});
    if (auto value = convert<T>(*text)) into = std::move(*value);
    else errors.push_back({std::string(name), "is not a " + std::string(type_description<T>())});
}
template <class T>
void bind_field(const form_data& from, std::string_view name, std::optional<T>& into, std::vector<form_error>& errors) {
    into.reset();
    if (from.value(name).empty()) return;
    bind_field(from, name, into.emplace(), errors);
}
template <class T>
void bind_field(const form_data& from, std::string_view name, std::vector<T>& into, std::vector<form_error>& errors) {
    into.clear();
    for (const std::string_view text : from.values(name)) {
        if (auto value = convert<T>(text)) into.push_back(std::move(*value));
        else errors.push_back({std::string(name), "is not a " + std::string(type_description<T>())});
    }
}

}  // namespace detail

/// Binds a form to a described struct, member by member. Members may be text, numbers, bool (false if not sent, like an
/// unticked checkbox) and types with a path_converter; a std::optional may be missing or empty; a std::vector receives
/// all values of its name. Other fields of the form are ignored.
template <codec::described T>
[[nodiscard]] bound_form<T> bind_form(const form_data& from) {
    bound_form<T> bound;
    codec::for_each_member(bound.value, [&](std::string_view name, auto& member) {
        detail::bind_field(from, name, member, bound.errors);
    });
    return bound;
}

/// Binds a form to a described struct. Throws http_error 422 that lists the errors.
template <codec::described T>
[[nodiscard]] T form_as(const form_data& from) {
    bound_form<T> bound = bind_form<T>(from);
    if (!bound.is_valid()) detail::reject_form(bound.errors);
    return std::move(bound.value);
}

/// Parses the JSON body of a request as a T: `auto order = co_await json_as<order>(req)`. Throws http_error 422 if it
/// does not match T, and what request::json() throws.
template <class T>
[[nodiscard]] task<T> json_as(request& req) {
    const codec::json_value body = co_await req.json();
    auto value = codec::read_json<T>(body);
    if (!value) detail::reject_json(value.error());
    co_return std::move(*value);
}

}  // namespace rondo
