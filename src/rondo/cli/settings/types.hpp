// SPDX-License-Identifier: Apache-2.0
/// How the values of settings are read and shown, by type. For setting_table.cpp. Each takes the member it sets as a
/// function, `[](settings& s) -> auto& { return s.threads; }`, and takes the default from there.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rondo/cli/settings/row.hpp>
#include <rondo/codec/size_and_duration.hpp>
#include <rondo/web/setting.hpp>

namespace rondo::cli {

/// Reads one text. Throws std::invalid_argument.
template <class Read, class Show>
setting_row value_row(std::string name, std::string type, std::string help, Read read, Show show) {
    setting_row row;
    row.name = std::move(name);
    row.type = std::move(type);
    row.help = std::move(help);
    row.read = [read = std::move(read)](settings& to, std::span<const std::string> texts) { read(to, texts.back()); };
    row.show = [show = std::move(show)](const settings& from) { return show(const_cast<settings&>(from)); };
    row.standard = row.show(settings{});
    return row;
}

template <class Member>
setting_row text_row(std::string name, std::string type, std::string help, Member member) {
    return value_row(
        std::move(name), std::move(type), std::move(help),
        [member](settings& s, const std::string& t) { member(s) = t; },
        [member](settings& s) { return std::string(member(s)); });
}

template <class Member>
setting_row duration_row(std::string name, std::string help, Member member) {
    return value_row(
        std::move(name), "TIME", std::move(help),
        [member](settings& s, const std::string& t) { member(s) = codec::parse_duration(t); },
        [member](settings& s) { return codec::duration_text(member(s)); });
}

[[nodiscard]] std::uint64_t read_count(std::string_view text, std::uint64_t least, std::uint64_t most);
[[nodiscard]] std::uint64_t read_size(std::string_view text, std::uint64_t least, std::uint64_t most);
[[nodiscard]] bool read_on_off(std::string_view text);

/// A whole number, bounds included.
template <class Member>
setting_row count_row(std::string name, std::string help, Member member, std::uint64_t least, std::uint64_t most) {
    return value_row(
        std::move(name), "N", std::move(help),
        [=](settings& s, const std::string& t) {
            member(s) = static_cast<std::remove_cvref_t<decltype(member(s))>>(read_count(t, least, most));
        },
        [member](settings& s) { return std::to_string(member(s)); });
}

/// Bytes, bounds included.
template <class Member>
setting_row size_row(std::string name, std::string help, Member member, std::uint64_t least, std::uint64_t most) {
    return value_row(
        std::move(name), "SIZE", std::move(help),
        [=](settings& s, const std::string& t) {
            member(s) = static_cast<std::remove_cvref_t<decltype(member(s))>>(read_size(t, least, most));
        },
        [member](settings& s) { return codec::size_text(member(s)); });
}

template <class Member>
setting_row on_off_row(std::string name, std::string help, Member member) {
    setting_row row = value_row(
        std::move(name), "on|off", std::move(help),
        [member](settings& s, const std::string& t) { member(s) = read_on_off(t); },
        [member](settings& s) { return std::string(member(s) ? "on" : "off"); });
    row.shape = row_shape::on_off;
    return row;
}

[[noreturn]] void refuse_choice(std::string_view text, std::string_view all);

template <class Value>
using named_values = std::vector<std::pair<std::string, Value>>;

/// One of several words.
template <class Value, class Member>
setting_row choice_row(std::string name, std::string help, Member member, const named_values<Value>& values) {
    std::string all;
    for (const auto& [word, value] : values) all.append(all.empty() ? "" : "|").append(word);
    return value_row(
        std::move(name), all, std::move(help),
        [=](settings& s, const std::string& t) {
            for (const auto& [word, value] : values)
                if (word == t) return void(member(s) = value);
            refuse_choice(t, all);
        },
        [=](settings& s) {
            for (const auto& [word, value] : values)
                if (member(s) == value) return word;
            return std::string();
        });
}

}  // namespace rondo::cli
