// SPDX-License-Identifier: Apache-2.0
// Builds the scope of an HTTP request (ASGI 3.0, HTTP and WebSocket message format 2.5).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/handler/request.hpp>
#include <rondo/python/python_api.hpp>

namespace rondo::python {

/// The names of common header fields as prebuilt bytes objects, lower-case.
class field_name_cache {
public:
    field_name_cache();

    /// The name in lower case. Throws error_set.
    [[nodiscard]] object lower(std::string_view name) const;

private:
    static constexpr std::size_t slots = 256;  // a power of two, much larger than the number of names
    static constexpr std::size_t longest = 32;
    std::array<object, slots> names_;
};

/// Makes the scopes of a worker. Everything that does not depend on the request is prebuilt. With the GIL.
class scope_factory {
public:
    /// `root_path` is that of --root-path; `state` is the dict of the lifespan. Throws error_set.
    scope_factory(std::string root_path, object state);

    /// A new scope. Throws error_set.
    [[nodiscard]] object make(handler::request& r);

private:
    [[nodiscard]] object headers(const http::fields_view& fields) const;
    [[nodiscard]] object path(std::string_view encoded) const;
    [[nodiscard]] object server_address(handler::connection_info& connection);
    [[nodiscard]] object method(std::string_view token) const;

    field_name_cache field_names_;
    std::string root_path_;
    object state_;
    object base_;        // the entries that all scopes have in common
    object asgi_;        // {"version": "3.0", "spec_version": "2.5"}
    object extensions_;  // of HTTP/1.1 without trailers
    object extensions_with_trailers_;
    object extensions_1_0_;
    object http_1_0_;
    object http_1_1_;
    object https_;
    std::vector<object> methods_;
    std::string server_address_text_;  // of the cached tuple
    std::uint16_t server_port_ = 0;
    object server_;
};

}  // namespace rondo::python
