// SPDX-License-Identifier: Apache-2.0
#include <rondo/handler/responder.hpp>

#include <string>

#include <rondo/handler/error.hpp>
#include <rondo/http/h1/chunked.hpp>

namespace rondo::handler {

void responder::check_interim(http::status code) {
    const int number = http::to_int(code);
    if (number < 102 || number > 199)
        throw response_error("invalid interim status " + std::to_string(number) + "; expected 102 to 199");
}

void responder::check_trailers(const http::fields& trailers) {
    for (const http::field f : trailers)
        if (!http::h1::is_allowed_in_trailer(f.name))
            throw response_error("field " + std::string(f.name) + " is not allowed in trailers");
}

}  // namespace rondo::handler
