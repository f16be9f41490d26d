// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/routing/router.hpp>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include <rondo/http/path_and_query.hpp>

namespace rondo::detail {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char c) noexcept { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool accepts_uint(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }
bool accepts_int(std::string_view text) { return accepts_uint(text.starts_with('-') ? text.substr(1) : text); }
bool accepts_float(std::string_view text) { return parse_decimal(text).has_value(); }
bool accepts_uuid(std::string_view text) {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
    }
    return true;
}
bool accepts_slug(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_'; });
}
/// Clients and servers behind this one interpret dot segments, so they are never a value.
bool accepts_str(std::string_view text) { return !text.empty() && !http::has_dot_segment(text); }
/// Identified by its address; search::walk() checks the rest of the path.
bool accepts_path(std::string_view) { return true; }

/// The order of literal segments, by size first because that is the cheapest comparison.
bool is_ordered_before(std::string_view a, std::string_view b) noexcept {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
}

struct converter {
    std::string_view name;
    accepts_function accepts;
};
/// In the order they are tried; custom converters precede `slug`.
constexpr converter converters[] = {{"uint", accepts_uint}, {"int", accepts_int},   {"float", accepts_float},
                                    {"uuid", accepts_uuid}, {"slug", accepts_slug}, {"str", accepts_str},
                                    {"path", accepts_path}};
constexpr int custom_rank = 4;

struct ranked {
    int rank;
    accepts_function accepts;
};

ranked rank_of(std::string_view name, accepts_function custom) {
    if (custom != nullptr) return {custom_rank, custom};
    const auto* const found =
        std::find_if(std::begin(converters), std::end(converters), [&](const converter& c) { return c.name == name; });
    const auto index = static_cast<int>(found - std::begin(converters));
    return {index < custom_rank ? index : index + 1, found->accepts};
}

std::string location_text(const route_entry& route) {
    return std::string(route.location.file_name()) + ':' + std::to_string(route.location.line());
}

[[noreturn]] void throw_duplicate(const route_entry& a, const route_entry& b, method_set both) {
    const std::string methods = a.any && b.any ? "every method" : method_names(both);
    throw std::invalid_argument("duplicate route for " + methods + ": '" + a.pattern + "' (" + location_text(a) +
                                ") and '" + b.pattern + "' (" + location_text(b) + "); remove one or change its path");
}

}  // namespace

std::string method_names(method_set methods) {
    std::string out;
    for (unsigned m = 0; m < method_count; ++m) {
        const auto name = http::to_string(static_cast<http::method>(m));
        if ((methods & (1u << m)) == 0 || name.empty()) continue;
        if (!out.empty()) out += ", ";
        out += name;
    }
    return out;
}

struct router::node {
    struct dynamic_edge {
        int rank;
        accepts_function accepts;
        std::string converter;
        std::unique_ptr<node> child;
    };

    std::string text;
    std::vector<std::unique_ptr<node>> static_children;  ///< sorted by is_ordered_before()
    std::vector<dynamic_edge> dynamic_children;          ///< by rank
    std::array<const route_entry*, method_count> routes{};
    method_set allowed = 0;
    const route_entry* any = nullptr;

    [[nodiscard]] std::vector<std::unique_ptr<node>>::const_iterator static_position(
        std::string_view segment) const noexcept {
        return std::lower_bound(
            static_children.begin(), static_children.end(), segment,
            [](const auto& child, std::string_view t) { return is_ordered_before(child->text, t); });
    }
    [[nodiscard]] const node* find_static(std::string_view segment) const noexcept {
        const auto at = static_position(segment);
        return at != static_children.end() && (*at)->text == segment ? at->get() : nullptr;
    }
    node& add_static_child(std::string_view segment);
    node& add_dynamic_child(std::string_view converter, accepts_function custom, const route_entry& route);
    void add_route(const route_entry& route);
};

router::node& router::node::add_static_child(std::string_view segment) {
    const auto at = static_position(segment);
    if (at != static_children.end() && (*at)->text == segment) return **at;
    auto child = std::make_unique<node>();
    child->text = segment;
    return **static_children.insert(at, std::move(child));
}

router::node& router::node::add_dynamic_child(std::string_view converter, accepts_function custom,
                                              const route_entry& route) {
    const auto [rank, accepts] = rank_of(converter, custom);
    for (dynamic_edge& d : dynamic_children) {
        if (d.converter != converter) continue;
        if (d.accepts == accepts) return *d.child;
        throw std::invalid_argument("route '" + route.pattern + "' (" + location_text(route) +
                                    "): the converter name '" + std::string(converter) +
                                    "' belongs to two types; rename one");
    }
    const auto at = std::find_if(dynamic_children.begin(), dynamic_children.end(),
                                 [&](const dynamic_edge& d) { return d.rank > rank; });
    return *dynamic_children.insert(at, dynamic_edge{rank, accepts, std::string(converter), std::make_unique<node>()})
                ->child;
}

void router::node::add_route(const route_entry& route) {
    if (route.any) {
        if (any != nullptr) throw_duplicate(*any, route, any_method);
        any = &route;
        allowed |= any_method;
        return;
    }
    for (unsigned m = 0; m < method_count; ++m) {
        if ((route.methods & (1u << m)) == 0) continue;
        if (routes[m] != nullptr) throw_duplicate(*routes[m], route, method_bit(static_cast<http::method>(m)));
        routes[m] = &route;
    }
    allowed |= route.methods | method_bit(http::method::options);
    if (route.methods & method_bit(http::method::get)) allowed |= method_bit(http::method::head);
}

/// One search of the tree. Every node has one depth, so no node is visited twice.
struct router::search {
    struct captured {
        const char* data;
        std::size_t size;
    };

    search(http::method m, bool has_escapes, arena& a) noexcept : method(m), has_escapes(has_escapes), memory(a) {}

    http::method method;
    bool has_escapes;
    bool uses_path_parameter = false;  // the route found has a `path` parameter
    arena& memory;
    method_set allowed = 0;
    std::size_t count = 0;
    captured arguments[max_parameters];  // not initialised: most routes have none

    [[nodiscard]] std::string_view decode_segment(std::string_view segment) {
        if (!has_escapes || segment.find('%') == std::string_view::npos) return segment;
        const auto decoded = http::decode_path(segment);
        if (!decoded) throw http_error(http::status::bad_request, "the path has an invalid percent-encoding");
        return memory.copy(*decoded);
    }
    [[nodiscard]] const route_entry* route_at(const node& n) noexcept {
        const route_entry* found = n.routes[static_cast<std::size_t>(method)];
        if (found == nullptr && method == http::method::head)
            found = n.routes[static_cast<std::size_t>(http::method::get)];
        if (found == nullptr && (any_method & method_bit(method)) != 0) found = n.any;
        if (found == nullptr) allowed |= n.allowed;
        return found;
    }
    [[nodiscard]] const route_entry* descend(const node& n, std::string_view remaining, bool last) {
        return last ? route_at(n) : walk(n, remaining);
    }
    const route_entry* walk(const node& n, std::string_view remaining);
};

/// `remaining` is the part of the path after the node's segment and the slash.
const route_entry* router::search::walk(const node& n, std::string_view remaining) {
    const void* const slash = remaining.empty() ? nullptr : std::memchr(remaining.data(), '/', remaining.size());
    const std::size_t end =
        slash ? static_cast<std::size_t>(static_cast<const char*>(slash) - remaining.data()) : remaining.size();
    const bool last = slash == nullptr;
    const std::string_view text = decode_segment(remaining.substr(0, end));
    const std::string_view after = last ? std::string_view() : remaining.substr(end + 1);
    if (const node* child = n.find_static(text)) {
        if (const route_entry* found = descend(*child, after, last)) return found;
    }
    for (const node::dynamic_edge& d : n.dynamic_children) {
        const bool is_path_parameter = d.accepts == accepts_path;
        if (!d.accepts(text)) continue;
        const std::string_view argument = is_path_parameter ? decode_segment(remaining) : text;
        if (is_path_parameter && http::has_dot_segment(argument)) continue;
        arguments[count++] = {argument.data(), argument.size()};
        const route_entry* const found = is_path_parameter ? route_at(*d.child) : descend(*d.child, after, last);
        if (found != nullptr) {
            uses_path_parameter |= is_path_parameter;
            return found;
        }
        --count;
    }
    return nullptr;
}

router::router() : root_(std::make_unique<node>()) {}
router::router(router&&) noexcept = default;
router& router::operator=(router&&) noexcept = default;
router::~router() = default;

void router::add(const route_entry& route) {
    node* at = root_.get();
    std::size_t parameter = 0;
    std::size_t depth = 0;
    for_each_segment(route.pattern, [&](const pattern_segment& segment) {
        depth_ = std::max(depth_, ++depth);
        at = segment.converter.empty() ? &at->add_static_child(segment.text)
                                       : &at->add_dynamic_child(segment.converter, route.accepts[parameter++], route);
    });
    at->add_route(route);
}

// The rest of a path may be passed to an upstream or folder that interprets it differently. Such an interpretation must
// not bypass the middleware of the route that would have matched it.
void router::require_unambiguous(http::method method, std::string_view path, const route_entry& found) const {
    const unsigned readings = http::normalizations_of(path);
    arena memory;
    for (unsigned subset = readings; subset != 0; subset = (subset - 1) & readings) {
        // Segments below the deepest route make no difference.
        const std::string alternative = http::normalize_path(path, subset, depth_ + 1);
        search s(method, true, memory);
        const route_entry* const other = s.walk(*root_, std::string_view(alternative).substr(1));
        if (other != nullptr && other != &found) throw http_error(http::status::bad_request, "the path is ambiguous");
    }
}

match router::find(http::method method, std::string_view path, arena& memory) const {
    if (path.empty() || path.front() != '/') return {};
    search s(method, path.find('%') != std::string_view::npos, memory);
    match found{.route = s.walk(*root_, path.substr(1))};
    found.allowed = s.allowed;
    if (s.uses_path_parameter) require_unambiguous(method, path, *found.route);
    if (s.count != 0 && found.route != nullptr) {
        auto* const arguments = static_cast<std::string_view*>(
            memory.allocate(s.count * sizeof(std::string_view), alignof(std::string_view)));
        for (std::size_t i = 0; i < s.count; ++i)
            std::construct_at(arguments + i, s.arguments[i].data, s.arguments[i].size);
        found.arguments = arguments;
    }
    return found;
}

}  // namespace rondo::detail
