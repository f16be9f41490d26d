// SPDX-License-Identifier: Apache-2.0
#include <rondo/handler/parsed_request.hpp>

namespace rondo::handler {

request request_of(const http::h1::request_head& head, const char* bytes) {
    request r;
    r.method = head.method;
    r.version_minor = head.minor;
    r.has_query = head.has_query;
    r.method_text = head.method_text.in(bytes);
    r.target = head.target.in(bytes);
    r.path = head.path.in(bytes);
    r.query = head.query.in(bytes);
    r.authority = head.authority.in(bytes);
    r.fields = head.view(bytes);
    r.arrived = clock::now();
    return r;
}

}  // namespace rondo::handler
