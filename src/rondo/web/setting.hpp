// SPDX-License-Identifier: Apache-2.0
// Settings that an application declares.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace rondo {

/// A size in bytes, for settings such as "64KiB".
struct byte_size {
    std::uint64_t bytes = 0;
};

namespace detail {

/// A setting declared by an application, as the command line sees it.
class declared_setting {
public:
    virtual ~declared_setting() = default;

    std::string name;  ///< "upstream": --upstream, RONDO_UPSTREAM, upstream in rondo.toml
    std::string type;  ///< for --help: "URL"
    std::string help;
    std::string default_text;  ///< the default as text
    std::source_location location;

    /// Sets the value from text. Throws std::invalid_argument with a message that quotes the text.
    virtual void parse(std::string_view text) = 0;
    [[nodiscard]] virtual std::string text() const = 0;
    /// Returns true for a bool, whose command-line flag needs no value.
    [[nodiscard]] virtual bool is_flag() const noexcept = 0;
};

void parse_setting(std::string_view text, std::string& to);
void parse_setting(std::string_view text, bool& to);
void parse_setting(std::string_view text, std::int64_t& to);
void parse_setting(std::string_view text, double& to);
void parse_setting(std::string_view text, std::chrono::milliseconds& to);
void parse_setting(std::string_view text, byte_size& to);
[[nodiscard]] std::string setting_text(const std::string& value);
[[nodiscard]] std::string setting_text(bool value);
[[nodiscard]] std::string setting_text(std::int64_t value);
[[nodiscard]] std::string setting_text(double value);
[[nodiscard]] std::string setting_text(std::chrono::milliseconds value);
[[nodiscard]] std::string setting_text(byte_size value);

template <class T>
class typed_setting final : public declared_setting {
public:
    explicit typed_setting(T initial) : value(std::move(initial)) { default_text = setting_text(value); }
    void parse(std::string_view text) override { parse_setting(text, value); }
    [[nodiscard]] std::string text() const override { return setting_text(value); }
    [[nodiscard]] bool is_flag() const noexcept override { return std::is_same_v<T, bool>; }

    T value;
};

template <class T>
concept duration = requires(T d) { std::chrono::duration_cast<std::chrono::milliseconds>(d); };

/// Returns a value of the type that a setting with such a default has.
template <class Default>
auto setting_type() {
    if constexpr (std::is_same_v<Default, bool>) return bool{};
    else if constexpr (std::integral<Default>) return std::int64_t{};
    else if constexpr (std::floating_point<Default>) return double{};
    else if constexpr (duration<Default>) return std::chrono::milliseconds{};
    else if constexpr (std::is_same_v<Default, byte_size>) return byte_size{};
    else {
        static_assert(std::is_convertible_v<Default, std::string>,
                      "a setting must be text, a bool, a number, a std::chrono duration or a rondo::byte_size");
        return std::string{};
    }
}

}  // namespace detail

/// A setting declared with app.setting(). Cheap to copy, so that views can capture it. It has its default value until
/// the command line has been parsed; hooks, views and commands see the final value.
template <class T>
class setting {
public:
    explicit setting(std::shared_ptr<const detail::typed_setting<T>> declared) noexcept
        : setting_(std::move(declared)) {}

    [[nodiscard]] const T& value() const noexcept { return setting_->value; }
    [[nodiscard]] const T& operator*() const noexcept { return setting_->value; }
    [[nodiscard]] const T* operator->() const noexcept { return &setting_->value; }

private:
    std::shared_ptr<const detail::typed_setting<T>> setting_;
};

}  // namespace rondo
