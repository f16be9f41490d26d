// SPDX-License-Identifier: Apache-2.0
#include <rondo/handler/make_request.hpp>

namespace rondo::handler {

request make_request(const http::h1::request_head& head, const char* bytes) {
    request r;
    r.method = head.method;
    r.version_minor = head.minor;
    r.has_query = head.has_query;
    r.method_text = head.method_text.view(bytes);
    r.target = head.target.view(bytes);
    r.path = head.path.view(bytes);
    r.query = head.query.view(bytes);
    r.authority = head.authority.view(bytes);
    r.fields = head.view(bytes);
    r.arrived = clock::now();
    return r;
}

}  // namespace rondo::handler
