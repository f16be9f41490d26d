// SPDX-License-Identifier: Apache-2.0
// Rows of the settings table by type of value: number, size, duration, text, on/off and choice.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rondo/cli/settings/table.hpp>
#include <rondo/codec/size_and_duration.hpp>
#include <rondo/web/setting.hpp>

// `member` returns the member that the row sets, `[](server_settings& s) -> auto& { return s.threads; }`; the default
// is taken from there.
namespace rondo::cli {

/// A row with one value. `parse` throws std::invalid_argument.
template <class Parse, class ToText>
setting_row value_row(std::string name, std::string type, std::string help, Parse parse, ToText to_text) {
    setting_row row;
    row.name = std::move(name);
    row.type = std::move(type);
    row.help = std::move(help);
    row.parse = [parse = std::move(parse)](server_settings& s, std::span<const std::string> texts) {
        parse(s, texts.back());
    };
    row.to_text = [to_text = std::move(to_text)](const server_settings& s) {
        return to_text(const_cast<server_settings&>(s));
    };
    row.default_value = row.to_text(server_settings{});
    return row;
}

template <class Member>
setting_row text_row(std::string name, std::string type, std::string help, Member member) {
    return value_row(
        std::move(name), std::move(type), std::move(help),
        [member](server_settings& s, const std::string& t) { member(s) = t; },
        [member](server_settings& s) { return std::string(member(s)); });
}

template <class Member>
setting_row duration_row(std::string name, std::string help, Member member) {
    return value_row(
        std::move(name), "TIME", std::move(help),
        [member](server_settings& s, const std::string& t) { member(s) = codec::parse_duration(t); },
        [member](server_settings& s) { return codec::duration_text(member(s)); });
}

[[nodiscard]] std::uint64_t parse_bounded_count(std::string_view text, std::uint64_t min, std::uint64_t max);
[[nodiscard]] std::uint64_t parse_bounded_size(std::string_view text, std::uint64_t min, std::uint64_t max);
[[nodiscard]] bool parse_on_off(std::string_view text);

/// A whole number within inclusive bounds.
template <class Member>
setting_row count_row(std::string name, std::string help, Member member, std::uint64_t min, std::uint64_t max) {
    return value_row(
        std::move(name), "N", std::move(help),
        [=](server_settings& s, const std::string& t) {
            member(s) = static_cast<std::remove_cvref_t<decltype(member(s))>>(parse_bounded_count(t, min, max));
        },
        [member](server_settings& s) { return std::to_string(member(s)); });
}

/// A number of bytes within inclusive bounds.
template <class Member>
setting_row size_row(std::string name, std::string help, Member member, std::uint64_t min, std::uint64_t max) {
    return value_row(
        std::move(name), "SIZE", std::move(help),
        [=](server_settings& s, const std::string& t) {
            member(s) = static_cast<std::remove_cvref_t<decltype(member(s))>>(parse_bounded_size(t, min, max));
        },
        [member](server_settings& s) { return codec::size_text(member(s)); });
}

template <class Member>
setting_row on_off_row(std::string name, std::string help, Member member) {
    setting_row row = value_row(
        std::move(name), "on|off", std::move(help),
        [member](server_settings& s, const std::string& t) { member(s) = parse_on_off(t); },
        [member](server_settings& s) { return std::string(member(s) ? "on" : "off"); });
    row.shape = row_shape::on_off;
    return row;
}

[[noreturn]] void throw_invalid_choice(std::string_view text, std::string_view choices);

template <class Value>
using named_values = std::vector<std::pair<std::string, Value>>;

/// One of several names.
template <class Value, class Member>
setting_row choice_row(std::string name, std::string help, Member member, const named_values<Value>& values) {
    std::string choices;
    for (const auto& [word, value] : values) choices.append(choices.empty() ? "" : "|").append(word);
    return value_row(
        std::move(name), choices, std::move(help),
        [=](server_settings& s, const std::string& t) {
            for (const auto& [word, value] : values)
                if (word == t) return void(member(s) = value);
            throw_invalid_choice(t, choices);
        },
        [=](server_settings& s) {
            for (const auto& [word, value] : values)
                if (member(s) == value) return word;
            return std::string();
        });
}

}  // namespace rondo::cli
