// SPDX-License-Identifier: Apache-2.0
// RONDO_DESCRIBE: member lists of structs at compile time.
#pragma once

#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace rondo::codec {

/// The name of a member of a described struct, and the pointer to it.
template <class Type, class Value>
struct described_member {
    std::string_view name;
    Value Type::* pointer;
};

template <class Type, class Value>
[[nodiscard]] constexpr described_member<Type, Value> describe_member(std::string_view name,
                                                                      Value Type::* pointer) noexcept {
    return {name, pointer};
}

/// A struct with a RONDO_DESCRIBE.
template <class T>
concept described = std::is_class_v<T> && requires(const T* type) { rondo_members_of(type); };

/// The members of T in the order described: a tuple of described_member.
template <described T>
inline constexpr auto members = rondo_members_of(static_cast<const T*>(nullptr));

template <described T>
inline constexpr std::size_t member_count = std::tuple_size_v<std::remove_const_t<decltype(members<T>)>>;

/// Calls `f(name, value)` for each member of `object`, in order.
template <class Object, class F>
    requires described<std::remove_const_t<Object>>
constexpr void for_each_member(Object& object, F&& f) {
    std::apply([&](const auto&... m) { (f(m.name, object.*(m.pointer)), ...); }, members<std::remove_const_t<Object>>);
}

}  // namespace rondo::codec

/// Names the members of a struct, so that rows, JSON and forms can be read into it and JSON written from it:
///
///     struct world { int id; int randomnumber; };
///     RONDO_DESCRIBE(world, id, randomnumber);
///
/// To be placed in the namespace of the struct, not in a function. At most 256 members, in any order. Members that are
/// not named are ignored. The struct itself does not change.
#define RONDO_DESCRIBE(type, ...)                                                      \
    [[maybe_unused]] constexpr auto rondo_members_of(const type*) noexcept {           \
        using described_type = type;                                                   \
        return ::std::make_tuple(RONDO_DETAIL_EXPAND(RONDO_DETAIL_EACH(__VA_ARGS__))); \
    }                                                                                  \
    static_assert(true)

#define RONDO_DETAIL_PARENTHESES ()
#define RONDO_DETAIL_EXPAND(...) RONDO_DETAIL_64(RONDO_DETAIL_64(RONDO_DETAIL_64(RONDO_DETAIL_64(__VA_ARGS__))))
#define RONDO_DETAIL_64(...) RONDO_DETAIL_16(RONDO_DETAIL_16(RONDO_DETAIL_16(RONDO_DETAIL_16(__VA_ARGS__))))
#define RONDO_DETAIL_16(...) RONDO_DETAIL_4(RONDO_DETAIL_4(RONDO_DETAIL_4(RONDO_DETAIL_4(__VA_ARGS__))))
#define RONDO_DETAIL_4(...) RONDO_DETAIL_1(RONDO_DETAIL_1(RONDO_DETAIL_1(RONDO_DETAIL_1(__VA_ARGS__))))
#define RONDO_DETAIL_1(...) __VA_ARGS__
#define RONDO_DETAIL_EACH(member, ...)                                \
    ::rondo::codec::describe_member(#member, &described_type::member) \
        __VA_OPT__(, RONDO_DETAIL_AGAIN RONDO_DETAIL_PARENTHESES(__VA_ARGS__))
#define RONDO_DETAIL_AGAIN() RONDO_DETAIL_EACH
