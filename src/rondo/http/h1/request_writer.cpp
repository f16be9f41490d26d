// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/request_writer.hpp>

#include <rondo/http/h1/put_text.hpp>

namespace rondo::http::h1 {

char* write_request_head(char* out, const request_parts& parts) noexcept {
    out = put(out, parts.method);
    *out++ = ' ';
    out = put(out, parts.target);
    out = put(out, " HTTP/1.1\r\nHost: ");
    out = put(out, parts.host);
    out = put(out, "\r\n");
    if (parts.body == framing::length) {
        out = put(out, "Content-Length: ");
        out = write_decimal(out, parts.content_length);
        out = put(out, "\r\n");
    } else if (parts.body == framing::chunked) {
        out = put(out, "Transfer-Encoding: chunked\r\n");
    }
    switch (parts.connection) {
        case connection_option::close: out = put(out, "Connection: close\r\n"); break;
        case connection_option::keep_alive: out = put(out, "Connection: keep-alive\r\n"); break;
        case connection_option::upgrade: out = put(out, "Connection: Upgrade\r\n"); break;
        case connection_option::none: break;
    }
    if (parts.fields != nullptr && !parts.fields->empty()) out = put(out, parts.fields->wire());
    return put(out, "\r\n");
}

}  // namespace rondo::http::h1
