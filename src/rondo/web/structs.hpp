// SPDX-License-Identifier: Apache-2.0
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

/// Described structs (codec/describe.hpp) as what views take and give.
namespace rondo {

/// application/json of a described struct, or of a std::vector of them.
template <class T>
    requires codec::described<T>
[[nodiscard]] response json(const T& value) {
    return json_text(codec::to_json(value));
}
template <class T>
[[nodiscard]] response json(const std::vector<T>& values) {
    return json_text(codec::to_json(values));
}

/// What is wrong with a field of a form: for the person who filled it in.
struct form_problem {
    std::string name;
    std::string sentence;  ///< "is missing", "is not a whole number in range"
};

/// A form as a struct, and what is wrong with it.
template <class T>
struct filled_form {
    T value{};
    std::vector<form_problem> problems;

    [[nodiscard]] bool good() const noexcept { return problems.empty(); }
};

namespace detail {

/// http_error 422 with all that is wrong.
[[noreturn]] void refuse_form(const std::vector<form_problem>& problems);
[[noreturn]] void refuse_json(const codec::json_error& error);

template <class T>
void fill_field(const form_data& from, std::string_view name, T& into, std::vector<form_problem>& problems) {
    const auto text = from.field(name);
    if constexpr (std::is_same_v<T, bool>) {  // a box that is not ticked is not sent
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

/// Reads a form into a described struct, member by member: text, numbers, bool (a box that is not sent is false),
/// whatever has a path_converter; a std::optional may be missing or empty; a std::vector takes all values of its name.
/// What the form has besides is left out.
template <codec::described T>
[[nodiscard]] filled_form<T> fill(const form_data& from) {
    filled_form<T> filled;
    codec::for_each_member(filled.value, [&](std::string_view name, auto& member) {
        detail::fill_field(from, name, member, filled.problems);
    });
    return filled;
}

/// The same; throws http_error 422 with what is wrong.
template <codec::described T>
[[nodiscard]] T form_as(const form_data& from) {
    filled_form<T> filled = fill<T>(from);
    if (!filled.good()) detail::refuse_form(filled.problems);
    return std::move(filled.value);
}

/// The body of a request as a T: `auto order = co_await json_as<order>(req)`. Throws http_error 422 with what is wrong,
/// and what request::json() throws.
template <class T>
[[nodiscard]] task<T> json_as(request& req) {
    const codec::json_value body = co_await req.json();
    auto read = codec::read_json<T>(body);
    if (!read) detail::refuse_json(read.error());
    co_return std::move(*read);
}

}  // namespace rondo
